import { resolve } from "node:path";
import type { BaseConfiguration } from "../../definitions/configuration.ts";
import { SpacktainersError } from "../../util/errors.ts";

/**
 * Reads `--base`: `debian:SUITE`, `ubuntu:SUITE`, `image:NAME`, `oci:DIR`, `rootfs:FILE` or `scratch`. Of a distribution the
 * packages are those of the configuration, when that has a base of packages too, else the usual ones.
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
      case "oci":
      case "rootfs":
        return { kind, path: resolve(directory, rest) };
    }
  throw new SpacktainersError("USAGE", `--base ${text} is not a base`, {
    hint: "write debian:SUITE, ubuntu:SUITE, image:NAME, oci:DIR, rootfs:FILE or scratch",
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
