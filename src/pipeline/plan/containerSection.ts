/** The `container:` section of a manifest, which `spack containerize` reads: what of it decides the image here. */
import { defaultBasePackages } from "../../base/debian/defaultPackages.ts";
import { suiteName } from "../../base/debian/suites.ts";
import type { BaseConfiguration, Configuration, ImageMetadata } from "../../definitions/configuration.ts";
import {
  parsePositionedYaml,
  type YamlEntry,
  type YamlMap,
  type YamlNode,
  yamlEntry,
  yamlLimits,
} from "../../definitions/positionedYaml.ts";
import { type Container, readTextFile } from "../../definitions/repository.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { baseOfImage, installLine, type StartingBase } from "../base/baseOfImage.ts";

/** A configuration with what a manifest adds to it, and what of the manifest's words has no effect, each with its line. */
export interface ContainerConfiguration {
  readonly configuration: Configuration;
  readonly warnings: readonly SpacktainersError[];
}

/** The parts of `spacktainers.yaml` that a section may decide. */
type Decided = Pick<Configuration, "base" | "strip" | "image" | "decided">;

/** Reports that something has no effect, and where it belongs. */
type Name = (message: string, place: Place, hint?: string) => void;

/**
 * The configuration of one container. Its manifest's `container:` section gives the base and `strip` where
 * `spacktainers.yaml` leaves them open, more OS packages, and more labels; `spacktainers.yaml` wins where both say
 * something. What has no counterpart is named. A manifest that cannot be read is left to those who read it.
 *
 * @throws errors of the system
 */
export async function withContainerSection(
  configuration: Configuration,
  { path, kind }: Pick<Container, "path" | "kind">,
): Promise<ContainerConfiguration> {
  const unchanged = { configuration, warnings: [] };
  if (kind === "def") return unchanged;
  const text = await readTextFile(path, yamlLimits.bytes);
  // Nearly no manifest has one, and reading YAML twice takes time.
  if (!/\bcontainer["']?:/.test(text)) return unchanged;
  const { root } = parsePositionedYaml(text, path, "MANIFEST_INVALID");
  const section = yamlEntry(yamlEntry(root, "spack")?.value, "container")?.value;
  if (section?.kind !== "map") return unchanged;
  const warnings: SpacktainersError[] = [];
  const name: Name = (message, place, hint) =>
    warnings.push(new SpacktainersError("NOT_SUPPORTED", message, { place, hint }));
  const decided = readSection(section, configuration, name);
  return { configuration: { ...configuration, ...decided }, warnings };
}

function readSection(
  section: YamlMap,
  configured: Decided,
  name: Name,
): Pick<Configuration, "base" | "strip" | "image"> {
  let { base, strip, image } = configured;
  // The packages come last: which can be had depends on the base.
  const inOrder = [...section.entries].sort(
    (a, b) => Number(a.key === "os_packages") - Number(b.key === "os_packages"),
  );
  for (const { key, keyPlace, value } of inOrder)
    switch (key) {
      case "images":
        base = readImages(value, configured, name);
        break;
      case "os_packages":
        base = readPackages(value, base, name);
        break;
      case "labels":
        image = readLabels(value, image, name);
        break;
      case "strip":
        if (value.kind !== "scalar" || typeof value.value !== "boolean") break;
        if (!configured.decided.strip) strip = value.value;
        else if (value.value !== strip)
          name(
            `\`strip: ${value.value}\` has no effect: spacktainers.yaml says \`strip: ${strip}\``,
            keyPlace,
          );
        break;
      case "format":
        if (value.kind === "scalar" && value.text === "singularity")
          name(
            "`format: singularity` has no effect: the build command chooses the format",
            keyPlace,
            "`spacktainers build NAME --output sif:FILE` writes a SIF file",
          );
        break;
      case "singularity":
        for (const part of value.kind === "map" ? value.entries : [])
          name(
            `\`singularity: ${part.key}\` has no effect here`,
            part.keyPlace,
            "it belongs in an Apptainer definition file (NAME.def) that starts from the built image",
          );
        break;
      case "template":
        name("`template` has no effect here", keyPlace, "what it adds belongs in a Dockerfile.epilogue");
        break;
      // Missing packages are built side by side anyway; `docker` can only be empty.
      case "depfile":
      case "docker":
        break;
      default:
        name(`\`${key}\` has no effect here`, keyPlace);
    }
  return { base, strip, image };
}

/** The base that `images` names, where the configuration leaves it open. */
function readImages(value: YamlNode, { base, decided }: Decided, name: Name): BaseConfiguration {
  const spack = yamlEntry(value, "spack");
  const build = yamlEntry(value, "build");
  if (spack !== undefined)
    name(
      "`images: spack` has no effect: packages come from build caches",
      spack.keyPlace,
      "`spack: ref:` of spacktainers.yaml says which Spack builds what is in none",
    );
  if (build !== undefined)
    name(
      "`images: build` has no effect: packages come from build caches",
      build.keyPlace,
      "`spacktainers base builder` makes an image that builds what is in none",
    );
  const entry = yamlEntry(value, "final") ?? yamlEntry(value, "os");
  const text = textOf(entry?.value);
  if (entry === undefined || text === undefined) return base;
  const wanted = baseOfImage(text).base;
  if (!decided.base) return configured(wanted);
  if (!isSame(base, wanted))
    name(
      `\`images: ${entry.key}: ${text}\` has no effect: spacktainers.yaml names another base`,
      entry.keyPlace,
      `\`base:\` of spacktainers.yaml is for all containers: ${suggestion(wanted)}`,
    );
  return base;
}

function configured(base: StartingBase): BaseConfiguration {
  return base.kind === "image"
    ? { kind: "image", reference: base.value }
    : { kind: "debian", distribution: base.kind, suite: base.value, packages: undefined, complete: true };
}

function isSame(base: BaseConfiguration, wanted: StartingBase): boolean {
  if (base.kind === "image")
    return wanted.kind === "image" && baseOfImage(base.reference).base.value === wanted.value;
  return (
    base.kind === "debian" &&
    wanted.kind === base.distribution &&
    suiteName(base.distribution, base.suite) === wanted.value
  );
}

function suggestion({ kind, value }: StartingBase): string {
  return kind === "image" ? `\`image: ${value}\`` : `\`${kind}: ${value}\``;
}

/** The base with the OS packages of the final stage. */
function readPackages(value: YamlNode, base: BaseConfiguration, name: Name): BaseConfiguration {
  const build = yamlEntry(value, "build");
  if (build !== undefined)
    name(
      "`os_packages: build` has no effect: it is for the machine that builds packages",
      build.keyPlace,
      "the packages belong on that machine, or in the builder image (`spacktainers base builder`)",
    );
  const final = yamlEntry(value, "final");
  const names = textsOf(final?.value);
  if (final === undefined || names.length === 0) return base;
  const manager = textOf(yamlEntry(value, "command")?.value);
  if (base.kind === "debian" && (manager === undefined || manager === "apt")) {
    const packages = base.packages ?? defaultBasePackages;
    const wanted = names.filter((each) => !packages.some((one) => one.split("=")[0] === each));
    return { ...base, packages: [...packages, ...new Set(wanted)] };
  }
  const line = base.kind === "image" ? installLine(base.reference, names, manager) : undefined;
  name(
    base.kind === "debian"
      ? `\`os_packages: final\` has no effect: the base has packages of ${base.distribution}, not of \`${manager}\``
      : "`os_packages: final` has no effect: only a base of Debian or Ubuntu packages takes more of them",
    final.keyPlace,
    base.kind === "debian"
      ? "name the packages by `base: packages:` of spacktainers.yaml"
      : `install them in a Dockerfile.epilogue${line === undefined ? "" : `: ${line}`}`,
  );
  return base;
}

const described = ["description", "vendor", "authors", "licenses", "url", "documentation", "source"] as const;
const oci = "org.opencontainers.image.";

/** What the image says of itself, with the section's labels where the configuration has none of the name. */
function readLabels(value: YamlNode, configured: ImageMetadata, name: Name): ImageMetadata {
  const labels = new Map(configured.labels);
  let image = configured;
  const taken = (entry: YamlEntry): void =>
    name(`the label \`${entry.key}\` has no effect: spacktainers.yaml sets it`, entry.keyPlace);
  for (const entry of value.kind === "map" ? value.entries : []) {
    const { key, keyPlace } = entry;
    const text = textOf(entry.value);
    const field = described.find((one) => key === oci + one);
    if (text === undefined || text.includes("\0") || !/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/.test(key))
      name(`the label \`${key}\` has no effect: it cannot be one`, keyPlace);
    else if (field !== undefined) {
      if (image[field] === undefined) image = { ...image, [field]: text };
      else taken(entry);
    } else if (key.startsWith(oci) || key.startsWith("dev.spacktainers."))
      name(`the label \`${key}\` has no effect: Spacktainers sets it`, keyPlace);
    else if (labels.has(key)) taken(entry);
    else labels.set(key, text);
  }
  return { ...image, labels };
}

/** A scalar that says something; numbers keep their text. */
function textOf(node: YamlNode | undefined): string | undefined {
  if (node?.kind !== "scalar" || node.value === null) return undefined;
  const text = typeof node.value === "string" ? node.value : node.text;
  return text === "" ? undefined : text;
}

function textsOf(node: YamlNode | undefined): readonly string[] {
  return node?.kind === "list" ? node.items.flatMap((item) => textOf(item) ?? []) : [];
}
