import { resolve } from "node:path";
import type { CacheSource } from "../../buildcache/types.ts";
import type { CacheConfiguration } from "../../definitions/configuration.ts";
import { findRepositoryRoot, loadRepository, type Repository } from "../../definitions/repository.ts";
import { readKeyFile } from "../../openpgp/keyFile.ts";
import { SpacktainersErrors } from "../../util/errors.ts";
import { usableCacheHome } from "../../util/expectWritable.ts";
import { checkConfiguration } from "./checkConfiguration.ts";

/** Reads the repository at or above a directory; a directory without one works with the default configuration. */
export async function openRepository(directory: string): Promise<Repository> {
  return loadRepository((await findRepositoryRoot(directory)) ?? directory);
}

/**
 * The repository, or all problems of its configuration as one error. What is wrong with definitions concerns those who ask for
 * them (see `selectDefinitions`).
 */
export async function openSoundRepository(directory: string): Promise<Repository> {
  const repository = await openRepository(directory);
  const errors = [...repository.generalErrors, ...checkConfiguration(repository.configuration)];
  if (errors.length > 0) throw new SpacktainersErrors(errors);
  return repository;
}

/** Which caches a command line asked for. */
export interface CacheChoice {
  /** URLs or paths that replace the configured caches; empty: the configured ones. */
  readonly caches: readonly string[];
  /** Key files trusted for every cache, besides those that are configured for it. */
  readonly trust: readonly string[];
}

/**
 * The build caches to use, their keys read, and the cache home, where what is read of them is kept, tried.
 *
 * @param directory what relative paths of the command line start from
 * @throws {SpacktainersError} `KEY_INVALID` when a key file cannot be read
 */
export async function cacheSources(
  configured: readonly CacheConfiguration[],
  choice: CacheChoice,
  directory: string,
): Promise<readonly CacheSource[]> {
  await usableCacheHome();
  const extraKeys = await Promise.all(choice.trust.map((path) => readKeyFile(resolve(directory, path), {})));
  const source = async (cache: CacheConfiguration): Promise<CacheSource> => ({
    url: cache.url,
    keys: [...(await Promise.all(cache.trust.map((key) => readKeyFile(key.path, key.place)))), ...extraKeys],
    unsigned: cache.unsigned,
    s3: cache.s3,
  });
  if (choice.caches.length === 0) return Promise.all(configured.map(source));
  return Promise.all(
    choice.caches.map(async (given) => {
      const url = isUrl(given) ? given : resolve(directory, given);
      const same = configured.find((cache) => cache.url === url);
      return same === undefined ? { url, keys: extraKeys, unsigned: false } : source(same);
    }),
  );
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(text);
}
