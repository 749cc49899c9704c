import type { BaseConfiguration, Configuration, ImageMetadata } from "../../definitions/configuration.ts";
import { parseBaseOption } from "../../pipeline/base/baseOption.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { BuildRecord } from "./readBuildRecord.ts";

const oci = "org.opencontainers.image.";

/**
 * The configuration that an image was made with: what the image says, and of the rest - caches, registries, layers - what is
 * configured here.
 *
 * @param base as `--base` has it; undefined: the one that the image names
 * @param directory what relative paths start from
 * @throws {SpacktainersError} `USAGE` for a base that is a file which the image does not name
 */
export function remadeConfiguration(
  told: BuildRecord,
  configured: Configuration,
  base: string | undefined,
  directory: string,
): Configuration {
  const { configuration, dialect, compression } = told.assembly;
  return {
    ...configured,
    view: configuration.view,
    install: { ...configured.install, root: configuration.install.root },
    image: metadataOf(told),
    base:
      base === undefined ? baseOf(told, configured.base) : parseBaseOption(base, configured.base, directory),
    layers: { ...configured.layers, compression: compression.format, level: compression.level },
    spack: { ...configured.spack, dialect, build: false },
  };
}

function metadataOf({ labels, annotations }: BuildRecord): ImageMetadata {
  const label = (name: string): string | undefined => labels[`${oci}${name}`];
  return {
    description: label("description"),
    vendor: label("vendor"),
    authors: label("authors"),
    licenses: label("licenses"),
    url: label("url"),
    documentation: label("documentation"),
    source: label("source"),
    // The image's own are annotations too, those of a base that is an image are not.
    labels: new Map(
      Object.entries(labels).filter(
        ([name, text]) =>
          annotations[name] === text && !name.startsWith(oci) && !name.startsWith("dev.spacktainers."),
      ),
    ),
  };
}

function baseOf({ labels, name }: BuildRecord, configured: BaseConfiguration): BaseConfiguration {
  const said = labels[`${oci}base.name`] ?? "";
  const [, distribution, suite] = /^(debian|ubuntu):(\S+) \(\d+ packages\)$/.exec(said) ?? [];
  if ((distribution === "debian" || distribution === "ubuntu") && suite !== undefined)
    return configured.kind === "debian" &&
      configured.distribution === distribution &&
      configured.suite === suite
      ? configured
      : { kind: "debian", distribution, suite, packages: undefined, complete: true };
  if (said === "scratch") return { kind: "scratch" };
  if (said === "rootfs" || said === "oci") {
    if (configured.kind === said) return configured;
    throw new SpacktainersError("USAGE", `the base of ${name} is a file, which the image does not name`, {
      hint: `name it with --base ${said}:PATH`,
    });
  }
  return { kind: "image", reference: said };
}
