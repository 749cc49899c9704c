/** How a build keeps to the locks beside a definition. */
import type { Base, BaseLock } from "../../base/types.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { digestOf } from "../../util/digest.ts";
import { type ErrorCode, SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { baseRequest } from "../base/baseRequest.ts";
import { choiceInputs } from "../choose/choiceInputs.ts";
import type { LoadedEnvironment } from "../choose/loadEnvironment.ts";
import {
  type LockedBase,
  loadSpacktainersLock,
  lockPaths,
  type SpacktainersLock,
} from "../choose/spacktainersLock.ts";
import { assemblyVersion } from "./assemblyVersion.ts";
import { installVersion } from "./makeFragments.ts";

/** What the locks say, for one build. */
export interface LockUse {
  /** True when `spacktainers.lock` is there and fits: the build keeps to it. */
  readonly inUse: boolean;
  /** The OS packages to take; undefined: as configured. */
  readonly base: BaseLock | undefined;
  /** Holds the archives that the caches have against those locked. Throws, or warns, as {@link openLocks} does. */
  checkPackages(packages: readonly CachedPackage[]): void;
  /** Holds the finished base against the one locked. */
  checkBase(base: Base): void;
}

/** For a container whose locks are not read: everything is as configured. */
export const noLocks: LockUse = {
  inUse: false,
  base: undefined,
  checkPackages: () => {},
  checkBase: () => {},
};

/** What is wrong with the locks of a container, without asking caches. Both are read from disk. */
export interface LockReading {
  readonly lock: SpacktainersLock | undefined;
  /** In order of importance; empty when both locks are there and fit. */
  readonly problems: readonly SpacktainersError[];
  /** True when what the lock says of base and archives can be used. */
  readonly usable: boolean;
}

const hint = "run `spacktainers lock` to write it again";

/**
 * Reads `spacktainers.lock` and holds both locks against the manifest and the configuration.
 *
 * @throws {SpacktainersError} `LOCK_INVALID`, `NOT_SUPPORTED`
 */
export async function readLocks(
  container: Pick<Container, "path" | "name" | "arch">,
  loaded: LoadedEnvironment,
  configuration: Configuration,
): Promise<LockReading> {
  const paths = lockPaths(container);
  const problems: SpacktainersError[] = [...loaded.stale];
  const stale = (file: string, message: string): void => {
    problems.push(new SpacktainersError("LOCK_STALE", message, { place: { file }, hint }));
  };
  if (loaded.lockText === undefined) stale(paths.spack, "there is no spack.lock next to the definition");
  const lock = await loadSpacktainersLock(paths.spacktainers);
  if (lock === undefined) {
    stale(paths.spacktainers, "there is no spacktainers.lock next to the definition");
    return { lock, problems, usable: false };
  }
  const at = (message: string): void => stale(paths.spacktainers, message);
  const before = problems.length;
  if (lock.architecture !== container.arch)
    at(`the lock is for ${lock.architecture}, the definition for ${container.arch}`);
  if (loaded.lockText !== undefined && digestOf(loaded.lockText) !== lock.spackLock)
    at("the lock belongs to a different spack.lock than the one next to it");
  const request = baseRequest(configuration.base);
  if (lock.base.kind !== configuration.base.kind || lock.base.request.join("\n") !== request.join("\n"))
    at("the configuration of the base has changed since the lock was made");
  const usable = loaded.lockText !== undefined && problems.length === before;
  if (choiceInputs(loaded.environment, configuration.platforms[container.arch]) !== lock.choice)
    at(
      "`packages:` or `concretizer:` of the manifest, or the platform, have changed since the lock was made",
    );
  if (lock.tool.install !== installVersion || lock.tool.assembly !== assemblyVersion)
    at("the lock was made by a version of this program that makes other bytes from the same packages");
  return { lock, problems, usable };
}

/**
 * Opens the locks of a container for a build. Without `frozen`, a `spacktainers.lock` that fits is kept to, and what does
 * not fit is said as a warning; a container without one is built as configured.
 *
 * @throws {SpacktainersErrors} with `frozen`: everything that is missing or does not fit (`LOCK_STALE`)
 */
export async function openLocks(
  container: Pick<Container, "path" | "name" | "arch">,
  loaded: LoadedEnvironment,
  configuration: Configuration,
  { frozen, emit }: { readonly frozen: boolean; readonly emit: EmitEvent },
): Promise<LockUse> {
  const { lock, problems, usable } = await readLocks(container, loaded, configuration);
  const paths = lockPaths(container);
  const say = (found: readonly SpacktainersError[]): void => {
    if (found.length > 0 && frozen) throw new SpacktainersErrors(found);
    for (const { code, message, place, hint } of found) emit({ type: "warning", code, message, place, hint });
  };
  if (frozen) say(problems);
  // A stale spack.lock has been warned of when it was read; containers without a spacktainers.lock have nothing to fulfil.
  else if (lock !== undefined) say(problems.filter((problem) => !loaded.stale.includes(problem)));
  if (lock === undefined || !usable) return noLocks;
  const locked = new Map(lock.packages.map((one) => [one.hash, one]));
  const place = { file: paths.spacktainers };
  return {
    inUse: true,
    base: baseLock(lock.base),
    checkPackages: (packages) => say(packageProblems(packages, locked, place)),
    checkBase(base) {
      const same =
        base.layers.length === lock.base.layers.length &&
        base.layers.every(({ diffId }, index) => diffId === lock.base.layers[index]);
      if (!same)
        say([
          new SpacktainersError("LOCK_STALE", "the base is not the one that was locked", { place, hint }),
        ]);
    },
  };
}

/** What a lock decides of a base; of those that are files, the files decide. */
export function baseLock({ kind, packages, digest }: LockedBase): BaseLock | undefined {
  if (kind === "debian") return { packages };
  if (kind === "image" && digest !== undefined) return { packages: [], digest };
  return undefined;
}

/** Archives that are not those locked. */
export function packageProblems(
  packages: readonly CachedPackage[],
  locked: ReadonlyMap<string, { readonly archive: string }>,
  place: { readonly file: string },
): readonly SpacktainersError[] {
  return packages.flatMap(({ spec, digest, archiveUrl }) => {
    const known = locked.get(spec.hash);
    if (known?.archive === digest) return [];
    const code: ErrorCode = known === undefined ? "LOCK_STALE" : "CHECKSUM_MISMATCH";
    const message =
      known === undefined
        ? `the lock has no archive of ${briefSpec(spec)}`
        : `the cache's archive of ${briefSpec(spec)} is not the one that was locked`;
    return [
      new SpacktainersError(code, message, {
        place: { ...place, spec: briefSpec(spec), url: archiveUrl },
        hint:
          known === undefined
            ? hint
            : `someone pushed it again or changed it since; if that is right, ${hint}`,
      }),
    ];
  });
}
