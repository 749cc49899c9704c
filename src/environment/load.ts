/** Reading an environment from disk: the manifest, what it includes, the lock beside it. */
import { dirname, resolve } from "node:path";
import { yamlLimits } from "../definitions/positionedYaml.ts";
import { problemList } from "../definitions/problems.ts";
import { readTextFile } from "../definitions/repository.ts";
import type { Dialect } from "../spec/abstract.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";
import { collectScopes } from "./collectScopes.ts";
import { readIncludedEnvironments } from "./includedEnvironments.ts";
import { lockLimit, readLock } from "./lock.ts";
import {
  better,
  conditionMachine,
  finished,
  type ManifestOptions,
  parseManifest,
  type Reading,
  readScopes,
  unusable,
} from "./manifest.ts";
import type { Lock, ManifestReading } from "./types.ts";

/**
 * Reads a manifest, the local files and folders that it includes, and the locks of the environments that are part of it.
 *
 * @param file path of the manifest
 */
export async function loadManifest(file: string, options: ManifestOptions = {}): Promise<ManifestReading> {
  return loadNested(file, options, []);
}

/** @param above manifests of the environments that this one is part of */
async function loadNested(
  file: string,
  options: ManifestOptions,
  above: readonly string[],
): Promise<ManifestReading> {
  const path = resolve(file);
  let text: string;
  try {
    text = await readTextFile(file, yamlLimits.bytes);
  } catch (thrown) {
    const list = problemList();
    list.add(asSpacktainersError(thrown, { file }));
    return unusable(list);
  }
  const { manifest, problems } = parseManifest(text, file);
  if (manifest === undefined) return unusable(problems);
  const read = async (dialect: Dialect): Promise<Reading> => {
    const list = problemList();
    const machine = conditionMachine(options, dialect);
    const scopes = await collectScopes({ problems: list, machine }, { ...manifest, path });
    const environment = readScopes(scopes, file, list, machine);
    const nested = { ...options, dialect };
    const included = await readIncludedEnvironments(
      { problems: list, machine, folder: dirname(path) },
      manifest.sections,
      {
        manifest: (inner) => loadNested(inner, nested, [...above, path]),
        lock: loadLock,
        above: [...above, path],
      },
    );
    return { environment: { ...environment, included }, list };
  };
  let chosen = await read(options.dialect ?? "1.x");
  if (options.dialect === undefined && chosen.list.errors.length > 0)
    chosen = better(chosen, await read("0.x"));
  return finished(manifest, problems, chosen);
}

/**
 * Reads a lock from disk.
 *
 * @throws {SpacktainersError} as {@link readLock}; system errors as `NOT_FOUND`, `ACCESS_DENIED`, `IO`
 */
export async function loadLock(file: string): Promise<Lock> {
  let text: string;
  try {
    const bytes = await readBounded(file, lockLimit);
    if (bytes === undefined)
      throw new SpacktainersError("LOCK_INVALID", `the lock is larger than ${lockLimit} bytes`, {
        place: { file },
      });
    text = bytes.toString("utf8");
  } catch (thrown) {
    throw asSpacktainersError(thrown, { file });
  }
  return readLock(text, file);
}
