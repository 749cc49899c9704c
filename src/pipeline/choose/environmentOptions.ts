import { suiteVersion } from "../../base/debian/suites.ts";
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { ManifestOptions } from "../../environment/manifest.ts";
import type { Dialect } from "../../spec/abstract.ts";

/** How a container's manifest is read. */
export type EnvironmentReading = Pick<ManifestOptions, "dialect" | "platform">;

/**
 * How a container's manifest is read when no cache is asked: the generation of the spec language as configured, and the
 * platform that conditions and paths see: the configured one; without `os`, the system of the base where it is known.
 */
export function configuredReading(
  container: Pick<Container, "arch">,
  configuration: Configuration,
): EnvironmentReading {
  const { target, os } = configuration.platforms[container.arch];
  return reading(configuration.spack.dialect, { target, os: os ?? systemOfBase(configuration.base) });
}

/**
 * How a container's manifest is read: as {@link configuredReading}; without a configured generation and a lock to tell it,
 * that of the Spack that wrote the caches.
 *
 * @throws {SpacktainersError} of reading the caches' indexes
 */
export async function environmentReading(
  container: Pick<Container, "arch" | "lock">,
  configuration: Configuration,
  caches: CacheSet,
): Promise<EnvironmentReading> {
  const configured = configuredReading(container, configuration);
  if (configured.dialect !== undefined || container.lock !== undefined) return configured;
  return reading(await dialectOfCaches(caches), configured.platform);
}

function reading(dialect: Dialect | undefined, platform: EnvironmentReading["platform"]): EnvironmentReading {
  const known = platform === undefined ? {} : { platform };
  return dialect === undefined ? known : { ...known, dialect };
}

/** Spack 0.x writes layout 2, and only Spack 1.x writes layout 3. Undefined without a cache. */
async function dialectOfCaches(caches: CacheSet): Promise<Dialect | undefined> {
  const { layout, size } = await caches.index();
  if (size === 0) return undefined;
  return layout === 2 ? "0.x" : "1.x";
}

/** The base's system by Spack's names: `debian12`, `ubuntu24.04`. */
function systemOfBase(base: Configuration["base"]): string | undefined {
  if (base.kind !== "debian") return undefined;
  const version = suiteVersion(base.distribution, base.suite);
  return version === undefined ? undefined : base.distribution + version;
}
