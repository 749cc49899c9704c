import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CacheIndex } from "../../buildcache/types.ts";
import { type Concretized, concretize } from "../../spack/concretize.ts";
import { packageMirror, writeMirrorIndex } from "../../spack/packageMirror.ts";
import { passingFolder } from "../../spack/runSpack.ts";
import { sweepTemporaries, temporaryPath } from "../../util/atomicFile.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import type { JsonObject } from "../../util/json.ts";
import { removeIfPossible } from "../../util/removeIfPossible.ts";
import type { LoadedEnvironment } from "../choose/loadEnvironment.ts";
import type { Builder } from "./builder.ts";

/** What choosing with Spack takes. */
export interface SolveTools {
  readonly builder: Builder;
  readonly caches: Pick<CacheSet, "index">;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Lets Spack choose the packages of an environment: of what the caches have and what was built here before, as far as it fits, the
 * rest to be built.
 *
 * @param loaded with the lock whose roots keep their configuration, if any
 * @param lockFile what the lock will be called
 * @param fresh the newest of everything instead
 * @throws SpacktainersErrors NO_SOLUTION, with the places of the specs that Spack names
 */
export async function solvePackages(
  loaded: Pick<LoadedEnvironment, "environment" | "manifestText"> & { readonly keep?: string | undefined },
  lockFile: string,
  fresh: boolean,
  { builder, caches, emit, signal }: SolveTools,
): Promise<Concretized> {
  const { spack, scope, target } = builder;
  emit({ type: "stage", stage: "concretize-packages" });
  const index = fresh ? undefined : await indexOf(caches);
  const mirror = temporaryPath(passingFolder(spack));
  await mkdir(dirname(mirror), { recursive: true });
  await sweepTemporaries(dirname(mirror));
  try {
    const reusable = index === undefined ? 0 : await writeMirrorIndex(mirror, index, spack.dialect, signal);
    const mirrors: JsonObject = reusable === 0 ? {} : { caches: packageMirror(mirror) };
    const work = {
      environment: loaded.environment,
      manifestText: loaded.manifestText,
      lockText: loaded.keep,
      scope,
      target,
      mirrors,
    };
    return await concretize(spack, work, lockFile, { fresh, signal });
  } finally {
    await removeIfPossible(mirror);
  }
}

/** What the caches have; undefined where there are none, or there is nothing in them. */
async function indexOf(caches: Pick<CacheSet, "index">): Promise<CacheIndex | undefined> {
  try {
    return await caches.index();
  } catch (error) {
    const empty =
      error instanceof SpacktainersError && ["CONFIG_INVALID", "NO_SOLUTION"].includes(error.code);
    if (empty) return undefined;
    throw error;
  }
}
