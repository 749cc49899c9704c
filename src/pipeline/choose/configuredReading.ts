import { suiteVersion } from "../../base/debian/suites.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { ManifestOptions } from "../../environment/manifest.ts";
import { machineSystem } from "./machineSystem.ts";

/**
 * How a container's manifest is read when no cache is asked: the generation of the spec language as configured, and the
 * platform that conditions and paths see: the configured one; without `os`, the system of the base, else of this machine.
 */
export async function configuredReading(
  { arch }: Pick<Container, "arch">,
  { base, platforms, spack }: Pick<Configuration, "base" | "platforms" | "spack">,
): Promise<Pick<ManifestOptions, "dialect" | "platform">> {
  const { target, os } = platforms[arch];
  const platform = { target, os: os ?? systemOf(base) ?? (await machineSystem()) };
  return { platform, dialect: spack.dialect };
}

/** The base's system by Spack's names: `debian12`, `ubuntu24.04`. */
function systemOf(base: Configuration["base"]): string | undefined {
  if (base.kind !== "debian") return undefined;
  const version = suiteVersion(base.distribution, base.suite);
  return version === undefined ? undefined : base.distribution + version;
}
