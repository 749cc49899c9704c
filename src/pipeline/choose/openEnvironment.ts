import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { Dialect } from "../../spec/abstract.ts";
import type { EmitEvent } from "../../util/events.ts";
import { configuredReading } from "./configuredReading.ts";
import { type LoadedEnvironment, loadEnvironment } from "./loadEnvironment.ts";
import { movedPlaces } from "./movedPlaces.ts";

/** What reading an environment works with. */
export interface EnvironmentTools {
  readonly caches: Pick<CacheSet, "index">;
  /** The caches are those that a command line names, not the configured ones. */
  readonly areCachesGiven?: boolean;
  readonly emit: EmitEvent;
}

/** How to read. */
export interface OpenOptions {
  /** Do not warn of a lock that does not fit: the caller refuses it. */
  readonly frozen?: boolean;
  /** The generation of the spec language, when it is known; undefined: found out. */
  readonly dialect?: Dialect | undefined;
}

/**
 * Reads a container's environment and its lock, in the generation of the spec language that it is written in: as
 * configured; else as the lock tells; without one, that of the Spack that wrote the caches; without packages in them,
 * whatever the manifest looks like.
 *
 * @throws {SpacktainersError} of reading the caches' indexes, and as `loadEnvironment`
 */
export async function openEnvironment(
  container: Pick<Container, "path" | "lock" | "arch">,
  configuration: Pick<Configuration, "base" | "caches" | "install" | "platforms" | "spack" | "view">,
  { caches, areCachesGiven = false, emit }: EnvironmentTools,
  { frozen = false, dialect: known }: OpenOptions = {},
): Promise<LoadedEnvironment> {
  const configured = await configuredReading(container, configuration);
  const dialect = known ?? configured.dialect ?? (await dialectOfCaches(container, caches));
  const loaded = await loadEnvironment(
    container,
    { ...configured, frozen, ...(dialect === undefined ? {} : { dialect }) },
    emit,
  );
  const { install, view, caches: configuredCaches } = configuration;
  const actual = { install, view, caches: areCachesGiven ? undefined : configuredCaches };
  for (const { code, message, place, hint } of movedPlaces(loaded.environment, actual))
    emit({ type: "warning", code, message, place, hint });
  return loaded;
}

/** Undefined where the lock tells, or there is nothing in the caches. */
async function dialectOfCaches(
  { lock }: Pick<Container, "lock">,
  caches: Pick<CacheSet, "index">,
): Promise<Dialect | undefined> {
  if (lock !== undefined) return undefined;
  return (await caches.index()).generation;
}
