import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { isOciUrl, parseOciUrl } from "../../buildcache/formats/oci/ociUrl.ts";
import type { CacheSource } from "../../buildcache/types.ts";
import type { CacheConfiguration, Configuration } from "../../definitions/configuration.ts";
import { findRepositoryRoot, loadRepository, type Repository } from "../../definitions/repository.ts";
import { type KeyFile, readKeyFile } from "../../openpgp/keyFile.ts";
import { settingsOf } from "../../registry/registrySettings.ts";
import { builtCaches } from "../../spack/folders.ts";
import { digestOf } from "../../util/digest.ts";
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
  /** Key files trusted for every cache, in addition to those that are configured for it. */
  readonly trust: readonly string[];
}

/**
 * The build caches to use, their keys read, and the cache home, where what is read of them is kept, tried. After them, where
 * building is allowed, come those with what was built on this machine.
 *
 * @param directory what relative paths of the command line start from
 * @throws {SpacktainersError} `KEY_INVALID` when a key file cannot be read
 */
export async function cacheSources(
  { caches: configured, spack, registries }: Pick<Configuration, "caches" | "spack" | "registries">,
  choice: CacheChoice,
  directory: string,
): Promise<readonly CacheSource[]> {
  await usableCacheHome();
  const extraKeys = await Promise.all(choice.trust.map((path) => readKeyFile(resolve(directory, path), {})));
  const source = (cache: CacheConfiguration): Promise<CacheSource> =>
    configuredSource(cache, registries, extraKeys);
  const asked =
    choice.caches.length === 0
      ? await Promise.all(configured.map(source))
      : await Promise.all(
          choice.caches.map(async (given) => {
            const url = isUrl(given) ? given : resolve(directory, given);
            const same = configured.find((cache) => cache.url === url);
            return same === undefined ? { url, keys: extraKeys, unsigned: false } : source(same);
          }),
        );
  return spack.build ? [...asked, ...(await builtSources(trustOf(asked)))] : asked;
}

/**
 * A configured cache as it is opened, its keys read.
 *
 * @param registries what is configured of registries: caches may be in one
 * @param extraKeys also trusted
 * @throws {SpacktainersError} `KEY_INVALID` when a key file cannot be read
 */
export async function configuredSource(
  cache: CacheConfiguration,
  registries: Configuration["registries"],
  extraKeys: readonly KeyFile[] = [],
): Promise<CacheSource> {
  const keys = await Promise.all(cache.trust.map((key) => readKeyFile(key.path, key.place)));
  return {
    url: cache.url,
    keys: [...keys, ...extraKeys],
    unsigned: cache.unsigned,
    s3: cache.s3,
    registry: isOciUrl(cache.url) ? settingsOf(parseOciUrl(cache.url).name.host, registries) : undefined,
    mayBeEmpty: cache.push,
  };
}

/** The build caches of this machine that have something in them. What is in them was built by us: they need no signatures. */
async function builtSources(trust: string): Promise<readonly CacheSource[]> {
  const folders = Object.values(builtCaches(trust));
  const present = await Promise.all(
    folders.map((folder) =>
      stat(folder).then(
        () => true,
        () => false,
      ),
    ),
  );
  return folders
    .filter((_, index) => present[index])
    .map((url) => ({ url, keys: [], unsigned: true, hashOnly: true }));
}

/**
 * Whose packages caches may have, as one text: what is built with packages of others is not to be used where these are not trusted.
 */
export function trustOf(sources: readonly CacheSource[]): string {
  const keys = sources.flatMap((source) => source.keys.map(({ content }) => digestOf(content)));
  const unsigned = sources.flatMap((source) =>
    source.unsigned && source.hashOnly !== true ? [`unsigned ${source.url}`] : [],
  );
  return [...new Set([...keys, ...unsigned])].sort().join("\n");
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(text);
}
