/** The `container:` section of a manifest for `spack containerize`: what of it has a counterpart here. */
import {
  parsePositionedYaml,
  type YamlEntry,
  type YamlMap,
  type YamlNode,
} from "../../definitions/positionedYaml.ts";
import { baseOfImage, baseText, installLine } from "../../pipeline/base/baseOfImage.ts";
import { oneError, type Place, SpacktainersError } from "../../util/errors.ts";
import type { FindingList, MigratedSettings } from "./migration.ts";
import { takeSpackRef } from "./spackRef.ts";

/** What was read. */
export interface ContainerSection {
  /** The manifest without the section. */
  readonly manifest: string;
  readonly settings: MigratedSettings;
  readonly epilogue: readonly string[];
  /** Addresses of mirrors, which may be build caches. */
  readonly mirrors: readonly { readonly url: string; readonly place: Place }[];
  /** Paths that are included, as written. */
  readonly includes: readonly { readonly path: string; readonly place: Place }[];
}

/** What a section says. */
interface Draft {
  base: MigratedSettings["base"];
  readonly osPackages: string[];
  readonly labels: Map<string, string>;
  spack: MigratedSettings["spack"];
  strip: boolean;
  command: string | undefined;
  isSingularity: boolean;
  readonly instructions: string[];
}

const labelPattern = /^[a-z0-9][a-z0-9._/-]{0,127}$/;

/**
 * Takes a manifest apart.
 *
 * @param file its path, for places
 * @throws {SpacktainersError} `MANIFEST_INVALID` for what is no manifest
 */
export function readContainerSection(text: string, file: string, list: FindingList): ContainerSection {
  const { root, problems } = parsePositionedYaml(text, file, "MANIFEST_INVALID");
  if (root === undefined) throw oneError(problems.errors);
  const spack = entry(root, "spack")?.value;
  if (spack?.kind !== "map")
    throw new SpacktainersError("MANIFEST_INVALID", "the manifest does not begin with `spack:`", {
      place: root.place,
    });
  const draft: Draft = {
    base: undefined,
    osPackages: [],
    labels: new Map(),
    spack: undefined,
    strip: true,
    command: undefined,
    isSingularity: false,
    instructions: [],
  };
  const section = entry(spack, "container");
  if (section?.value.kind === "map") readSection(section.value, draft, list);
  const installed = installPackages(draft, section?.keyPlace ?? {}, list);
  const epilogue = [...installed, ...draft.instructions];
  if (epilogue.length > 0)
    list.changed("commands for the finished image are in Dockerfile.epilogue", section?.keyPlace ?? {});
  return {
    manifest: withTreeAsMapping(
      section === undefined ? text : withoutSection(text, section, spack),
      entry(entry(spack, "config")?.value, "install_tree"),
      list,
    ),
    settings: {
      base: draft.base,
      osPackages: installed.length > 0 ? [] : draft.osPackages,
      labels: draft.labels,
      registries: [],
      spack: draft.spack,
      epilogueNetwork: epilogue.some((line) => usesNetwork(line)),
      strip: draft.strip,
    },
    epilogue,
    mirrors: mirrorsOf(spack),
    includes: scalars(entry(spack, "include")?.value).map(({ text: path, place }) => ({ path, place })),
  };
}

/** `install_tree: PATH`, as it was written for Spack before 1.0. */
function withTreeAsMapping(text: string, tree: YamlEntry | undefined, list: FindingList): string {
  if (tree?.value.kind !== "scalar") return text;
  const pattern = /^([ \t{]*(?:.*[{,][ \t]*)?install_tree:[ \t]+)([^\s#{},]+)/m;
  if (!pattern.test(text)) return text;
  list.changed("`install_tree` is a mapping since Spack 1.0: `root:` says the same", tree.keyPlace);
  return text.replace(pattern, "$1{root: $2}");
}

/** Whether a command fetches something. */
export function usesNetwork(text: string): boolean {
  return /\b(?:apt|apt-get|dnf|yum|apk|zypper|microdnf|curl|wget|pip3?|git|conda|npm)\b/.test(text);
}

function readSection(section: YamlMap, draft: Draft, list: FindingList): void {
  const format = entry(section, "format");
  draft.isSingularity = format?.value.kind === "scalar" && format.value.text === "singularity";
  if (format !== undefined)
    list.changed(
      draft.isSingularity
        ? "`format: singularity`: `spacktainers build NAME --output sif:FILE` and `spacktainers sif NAME` make the file"
        : "`format`: `spacktainers build NAME` makes an image, and no Dockerfile is needed",
      format.keyPlace,
    );
  for (const { key, keyPlace, value } of section.entries)
    switch (key) {
      case "format":
        break;
      case "images":
        readImages(value, keyPlace, draft, list);
        break;
      case "base":
        readOldBase(value, keyPlace, draft, list);
        break;
      case "strip":
        draft.strip = !(value.kind === "scalar" && value.value === false);
        list.taken(`\`strip: ${draft.strip}\``, keyPlace);
        break;
      case "os_packages":
        readOsPackages(value, keyPlace, draft, list);
        break;
      case "labels":
        readLabels(value, draft, list);
        break;
      case "extra_instructions":
        readInstructions(value, draft, list);
        break;
      case "singularity":
        for (const one of value.kind === "map" ? value.entries : [])
          list.todo(
            `\`singularity: ${one.key}\` does not fit into an image of packages: a definition file (NAME.def) that starts from the built image can have it`,
            one.keyPlace,
          );
        break;
      case "template":
        list.todo(
          "custom templates are not supported: move the lines that it adds to a Dockerfile.epilogue",
          keyPlace,
        );
        break;
      case "depfile":
        list.changed("`depfile` is not needed: spacktainers builds missing packages in parallel", keyPlace);
        break;
      case "docker":
        if (value.kind === "map" && value.entries.length === 0) break;
        list.todo("`docker` has no counterpart", keyPlace);
        break;
      default:
        list.todo(`\`container: ${key}\` is not known, and was left out`, keyPlace);
    }
}

function readImages(value: YamlNode, place: Place, draft: Draft, list: FindingList): void {
  const system = scalar(entry(value, "os")?.value);
  const final = scalar(entry(value, "final")?.value);
  const build = scalar(entry(value, "build")?.value);
  const chosen = final ?? system;
  if (chosen !== undefined) {
    const { base } = baseOfImage(chosen.text);
    draft.base = base;
    list.taken(`the base is ${baseText(base)}`, chosen.place);
  } else
    list.todo("`images` does not say what the image starts from: set `base:` in spacktainers.yaml", place);
  if (build !== undefined) {
    const { spackTag } = baseOfImage(build.text);
    if (spackTag !== undefined) takeSpack(spackTag, build.place, draft, list);
    else
      list.changed(
        `the build image ${build.text} is not needed: packages come from build caches, or are built by Spack on this machine`,
        build.place,
      );
  }
  const spack = entry(value, "spack");
  if (spack?.value.kind === "map") {
    const url = scalar(entry(spack.value, "url")?.value)?.text;
    const ref = scalar(entry(spack.value, "ref")?.value)?.text;
    const taken = takeSpackRef(ref ?? "develop", spack.keyPlace, list);
    if (taken !== undefined) draft.spack = { ...taken, url };
  } else {
    const tag = scalar(spack?.value);
    if (tag !== undefined) takeSpack(tag.text, tag.place, draft, list);
  }
}

function takeSpack(tag: string, place: Place, draft: Draft, list: FindingList): void {
  draft.spack = takeSpackRef(tag, place, list) ?? draft.spack;
}

/** As it was before Spack 0.16. */
function readOldBase(value: YamlNode, place: Place, draft: Draft, list: FindingList): void {
  const image = scalar(entry(value, "image")?.value);
  const tag = scalar(entry(value, "tag")?.value);
  if (image === undefined) {
    list.todo("`base` does not name an image", place);
    return;
  }
  const { base } = baseOfImage(image.text);
  draft.base = base;
  list.taken(`the base is ${baseText(base)}`, image.place);
  if (tag !== undefined) takeSpack(tag.text, tag.place, draft, list);
}

function readOsPackages(value: YamlNode, place: Place, draft: Draft, list: FindingList): void {
  const final = value.kind === "list" ? value : entry(value, "final")?.value;
  const names = scalars(final).map(({ text }) => text);
  draft.osPackages.push(...names);
  draft.command = scalar(entry(value, "command")?.value)?.text;
  if (names.length > 0) list.taken(`OS packages of the image: ${names.join(", ")}`, final?.place ?? place);
  const build = entry(value, "build");
  if (build !== undefined)
    list.changed(
      `OS packages of the build stage are not needed in the image: ${scalars(build.value)
        .map(({ text }) => text)
        .join(", ")}; where Spack builds, the machine must have them`,
      build.keyPlace,
    );
}

function readLabels(value: YamlNode, draft: Draft, list: FindingList): void {
  for (const { key, keyPlace, value: node } of value.kind === "map" ? value.entries : []) {
    const found = scalar(node);
    const name = key.toLowerCase();
    if (found === undefined || found.text === "" || !labelPattern.test(name)) {
      list.todo(`the label \`${key}\` cannot be one`, keyPlace);
      continue;
    }
    draft.labels.set(name, found.text);
    if (name === key) list.taken(`the label ${key}`, keyPlace);
    else list.changed(`the label \`${key}\` is \`${name}\``, keyPlace);
  }
}

function readInstructions(value: YamlNode, draft: Draft, list: FindingList): void {
  const build = entry(value, "build");
  if (build !== undefined)
    list.todo(
      "`extra_instructions: build` was for the image that builds the packages: it has no effect here",
      build.keyPlace,
    );
  const final = entry(value, "final");
  const text = scalar(final?.value)?.text ?? "";
  if (final === undefined || text.trim() === "") return;
  const lines = text.replace(/\s+$/, "").split("\n");
  draft.instructions.push(...(draft.isSingularity ? ["RUN <<'EOF'", "set -e", ...lines, "EOF"] : lines));
  list.taken("`extra_instructions: final`", final.keyPlace);
}

/** Of a base that is an image, its own package manager installs what is wanted. */
function installPackages(draft: Draft, place: Place, list: FindingList): readonly string[] {
  const { base, osPackages, command } = draft;
  if (osPackages.length === 0 || base?.kind !== "image") return [];
  const line = installLine(base.value, osPackages, command);
  if (line !== undefined) return [line];
  list.todo(`OS packages in ${base.value}: write a RUN line into a Dockerfile.epilogue`, place);
  return [];
}

function mirrorsOf(spack: YamlMap): ContainerSection["mirrors"] {
  const mirrors = entry(spack, "mirrors")?.value;
  return (mirrors?.kind === "map" ? mirrors.entries : []).flatMap(({ value }) => {
    const url =
      scalar(value) ??
      scalar(entry(value, "url")?.value) ??
      scalar(entry(entry(value, "fetch")?.value, "url")?.value);
    return url === undefined ? [] : [{ url: url.text, place: url.place }];
  });
}

/** The text without the lines of the section; of a manifest in one line, written again. */
function withoutSection(text: string, section: YamlEntry, spack: YamlMap): string {
  const lines = text.split("\n");
  const start = section.keyPlace.line ?? 1;
  const column = section.keyPlace.column ?? 1;
  const isBlock = (lines[start - 1] ?? "").slice(0, column - 1).trim() === "";
  if (!isBlock)
    return `spack:\n${spack.entries
      .filter((one) => one !== section)
      .map((one) => `  ${one.key}: ${flowText(one.value)}`)
      .join("\n")}\n`;
  let end = start;
  while (end < lines.length) {
    const line = lines[end] ?? "";
    const indent = line.length - line.trimStart().length;
    const isItem = indent === column - 1 && line.trimStart().startsWith("- ");
    if (line.trim() !== "" && indent < column && !isItem) break;
    end++;
  }
  // Blank lines before the next section stay with it.
  while (end > start && (lines[end - 1] ?? "").trim() === "") end--;
  return [...lines.slice(0, start - 1), ...lines.slice(end)].join("\n").replace(/\n*$/, "\n");
}

/** A value on one line; numbers keep their text (`1.10`). */
function flowText(node: YamlNode): string {
  if (node.kind === "list") return `[${node.items.map((item) => flowText(item)).join(", ")}]`;
  if (node.kind === "map")
    return `{${node.entries.map(({ key, value }) => `${JSON.stringify(key)}: ${flowText(value)}`).join(", ")}}`;
  return typeof node.value === "string" ? JSON.stringify(node.value) : node.text;
}

function entry(node: YamlNode | undefined, name: string): YamlEntry | undefined {
  if (node?.kind !== "map") return undefined;
  return node.entries.find(({ key }) => key.replace(/:$/, "") === name);
}

/** A scalar that says something. */
function scalar(node: YamlNode | undefined): { readonly text: string; readonly place: Place } | undefined {
  if (node?.kind !== "scalar" || node.value === null) return undefined;
  return { text: typeof node.value === "string" ? node.value : node.text, place: node.place };
}

/** The scalars of a list, or the one that stands in its place. */
function scalars(node: YamlNode | undefined): readonly { readonly text: string; readonly place: Place }[] {
  if (node?.kind === "list") return node.items.flatMap((item) => scalar(item) ?? []);
  return node === undefined ? [] : [scalar(node) ?? []].flat();
}
