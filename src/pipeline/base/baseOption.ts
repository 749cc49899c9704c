import { resolve } from "node:path";
import type { BaseConfiguration } from "../../definitions/configuration.ts";
import { parseSource } from "../../image/openSource.ts";
import { SpacktainersError } from "../../util/errors.ts";

/**
 * Reads `--base`: `debian:SUITE`, `ubuntu:SUITE`, `image:NAME` or `docker://NAME`, `oci:DIR[:REF]`,
 * `oci-archive:FILE[:REF]`, `rootfs:FILE` or `scratch`. Of a distribution the packages are those of the configuration, when that has a base of
 * packages too, else the usual ones.
 *
 * @param directory what a relative path starts from
 * @throws {SpacktainersError} `USAGE`
 */
export function parseBaseOption(
  text: string,
  configured: BaseConfiguration,
  directory: string,
): BaseConfiguration {
  if (text === "scratch") return { kind: "scratch" };
  if (text.startsWith("docker://") && text.length > "docker://".length)
    return { kind: "image", reference: text.slice("docker://".length) };
  const colon = text.indexOf(":");
  const kind = text.slice(0, Math.max(0, colon));
  const rest = text.slice(colon + 1);
  if (rest !== "")
    switch (kind) {
      case "debian":
      case "ubuntu":
        return distributionBase(kind, rest, configured);
      case "image":
        return { kind, reference: rest };
      case "rootfs":
        return { kind, path: resolve(directory, rest) };
      case "oci":
      case "oci-archive": {
        const { path, reference } = parseSource(text, directory) ?? { path: resolve(directory, rest) };
        return { kind: "oci", path, reference };
      }
      case "docker-archive":
        throw new SpacktainersError("USAGE", "the archive of an image without a manifest cannot be a base", {
          hint: `convert it to a layout: skopeo copy ${text} oci:DIR`,
        });
    }
  throw new SpacktainersError("USAGE", `--base ${text} is not a base`, {
    hint: "write debian:SUITE, ubuntu:SUITE, image:NAME, oci:DIR, oci-archive:FILE, rootfs:FILE (a tar, SIF or squashfs file) or scratch",
  });
}

function distributionBase(
  distribution: "debian" | "ubuntu",
  suite: string,
  configured: BaseConfiguration,
): BaseConfiguration {
  if (configured.kind !== "debian")
    return { kind: "debian", distribution, suite, packages: undefined, complete: true };
  if (configured.distribution === distribution) {
    // A snapshot was meant for the other suite's time, and stays: it is the same archive.
    return { ...configured, suite };
  }
  const { packages, complete } = configured;
  return { kind: "debian", distribution, suite, packages, complete };
}
