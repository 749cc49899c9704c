/** Reading an environment from disk: the manifest, the configuration files it includes, the lock beside it. */
import { readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { yamlLimits } from "../definitions/positionedYaml.ts";
import { problemList } from "../definitions/problems.ts";
import { readTextFile } from "../definitions/repository.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";
import { lockLimit, readLock } from "./lock.ts";
import { type ManifestOptions, readManifest } from "./manifest.ts";
import type { Lock, ManifestReading } from "./types.ts";

/** Most configuration files that one manifest may include. */
const mostIncludes = 100;

/**
 * Reads a manifest and the local files and folders that it includes.
 *
 * @param file path of the manifest
 */
export async function loadManifest(
  file: string,
  options: Omit<ManifestOptions, "included"> = {},
): Promise<ManifestReading> {
  let text: string;
  try {
    text = await readTextFile(file, yamlLimits.bytes);
  } catch (thrown) {
    return { environment: undefined, errors: [asSpacktainersError(thrown, { file })], warnings: [] };
  }
  const alone = readManifest(text, file, options);
  const includes = alone.environment?.includes ?? [];
  if (includes.length === 0) return alone;
  const problems = problemList();
  const included: { file: string; text: string }[] = [];
  for (const include of includes) {
    const path = resolve(dirname(file), include.path);
    try {
      for (const each of await configurationFiles(path)) {
        if (included.length >= mostIncludes)
          throw new SpacktainersError("MANIFEST_INVALID", `more than ${mostIncludes} files are included`);
        included.push({ file: each, text: await readTextFile(each, yamlLimits.bytes) });
      }
    } catch (thrown) {
      const error = asSpacktainersError(thrown);
      if (!include.optional || error.code !== "NOT_FOUND")
        problems.error(
          "MANIFEST_INVALID",
          `\`${include.path}\` cannot be included: ${error.message}`,
          include.place,
        );
    }
  }
  const whole = readManifest(text, file, { ...options, included });
  return {
    environment: problems.errors.length > 0 ? undefined : whole.environment,
    errors: [...problems.errors, ...whole.errors],
    warnings: [...problems.warnings, ...whole.warnings],
  };
}

/** A file itself; of a folder, the YAML files in it by name. */
async function configurationFiles(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => /\.ya?ml$/.test(name)).sort();
  return names.map((name) => join(path, name));
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
