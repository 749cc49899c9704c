import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { Dialect } from "../../spec/abstract.ts";
import type { EmitEvent } from "../../util/events.ts";
import { type LoadedEnvironment, loadEnvironment } from "./loadEnvironment.ts";

/** How to read. */
export interface OpenOptions {
  /** Do not warn of a lock that does not fit: the caller refuses it. */
  readonly frozen?: boolean;
  /** The generation of the spec language, when it is known; undefined: found out. */
  readonly dialect?: Dialect | undefined;
}

/**
 * Reads a container's environment and its lock, in the generation of the spec language that it is written in: as
 * configured; else as the lock tells; without one, 0.x where the packages come from a cache that Spack 0.x wrote; else
 * whatever the manifest looks like.
 *
 * @throws {SpacktainersError} of reading the caches' indexes, and as `loadEnvironment`
 */
export async function openEnvironment(
  container: Pick<Container, "path" | "lock">,
  configuration: Pick<Configuration, "spack">,
  { caches, emit }: { readonly caches: Pick<CacheSet, "index">; readonly emit: EmitEvent },
  { frozen = false, dialect: known }: OpenOptions = {},
): Promise<LoadedEnvironment> {
  const dialect = known ?? configuration.spack.dialect ?? (await dialectOfCaches(container, caches));
  return loadEnvironment(container, dialect === undefined ? { frozen } : { frozen, dialect }, emit);
}

/** Undefined where the lock tells, or the caches do not. */
async function dialectOfCaches(
  { lock }: Pick<Container, "lock">,
  caches: Pick<CacheSet, "index">,
): Promise<Dialect | undefined> {
  if (lock !== undefined) return undefined;
  return (await caches.index()).generation === "0.x" ? "0.x" : undefined;
}
