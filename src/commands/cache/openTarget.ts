/** The cache that a command line writes into. */
import { resolve } from "node:path";
import { type BuildCache, openBuildCache } from "../../buildcache/buildCache.ts";
import {
  expectTrustedSigner,
  openCacheWriter,
  type WriterSettings,
} from "../../buildcache/formats/openWriter.ts";
import type { CacheWriter } from "../../buildcache/formats/writer.ts";
import type { CacheSource } from "../../buildcache/types.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { isSigningKeyFile, openSigningKey } from "../../openpgp/signingKey.ts";
import { cacheSources } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { CacheRequest } from "./openNamedCaches.ts";

/** How a command line writes into a cache. */
export interface TargetOptions {
  /** The key that signs, as `openSigningKey` takes it; undefined: as configured. */
  readonly sign: string | undefined;
  /** Whether what is written needs no signature. */
  readonly unsigned: boolean;
  /** Everything in this layout; undefined: each package in that of its own generation of Spack. */
  readonly layout: WriterSettings["layout"];
}

/** A cache that is written into. */
export interface CacheTarget {
  readonly source: CacheSource;
  readonly writer: CacheWriter;
  /** The same cache as its readers see it. Nothing need be there. */
  readonly reader: BuildCache;
  /** Publishes the key that signs in the cache, as Spack does; nothing where nothing is signed. */
  publishKey(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the cache that a command line writes into.
 *
 * @param text URL, or path, as in `--cache`
 * @throws {SpacktainersError} `NOT_SUPPORTED` for a place that can only be read; `KEY_INVALID`; `CONFIG_INVALID` without a key
 */
export async function openTarget(
  text: string,
  options: TargetOptions,
  configuration: Configuration,
  request: CacheRequest,
): Promise<CacheTarget> {
  const { directory, trust, emit, signal } = request;
  const [found] = await cacheSources(configuration, { caches: [text], trust }, directory);
  if (found === undefined) throw new SpacktainersError("INTERNAL", `${text} is not a cache`);
  const configured = configuration.caches.find(({ url }) => url === found.url);
  const asked = options.sign;
  const given = asked !== undefined && isSigningKeyFile(asked) ? resolve(directory, asked) : asked;
  const where = options.unsigned ? undefined : (given ?? configured?.sign);
  const signer = where === undefined ? undefined : await openSigningKey(where, { signal });
  // Whoever writes a cache that no configuration speaks of trusts the own key, whatever else `--trust` names.
  const own =
    signer === undefined || (configured !== undefined && found.keys.length > 0)
      ? found.keys
      : [
          ...found.keys,
          { name: `the key ${signer.fingerprint}`, content: Buffer.from(await signer.publicKey()) },
        ];
  if (signer !== undefined) await expectTrustedSigner({ url: found.url, keys: own }, signer);
  const unsigned = found.unsigned || options.unsigned;
  if (options.unsigned && configured !== undefined && !configured.unsigned)
    throw new SpacktainersError(
      "CONFIG_INVALID",
      "the configuration says that this cache's packages are signed: without signatures nobody could use them",
      { place: configured.place, hint: "leave out --unsigned, and name a key: --sign KEY" },
    );
  const source = { ...found, keys: own, unsigned, hashOnly: false };
  const writer = openCacheWriter(
    source,
    { signer, layout: options.layout ?? configured?.layout },
    { emit, signal },
  );
  const reader = openBuildCache(source, { emit, signal, refresh: true });
  return {
    source,
    writer,
    reader,
    async publishKey() {
      if (signer === undefined) return;
      await writer.putKey({ fingerprint: signer.fingerprint, armored: await signer.publicKey() });
    },
    async close() {
      await writer.close();
      await reader.close();
    },
  };
}

/** The package indexes of a cache that need not be there yet: none then. */
export async function targetIndexes({ reader }: Pick<CacheTarget, "reader">) {
  return reader.indexes().catch((thrown: unknown) => {
    const absent = ["CACHE_UNAVAILABLE", "CACHE_INVALID", "NOT_FOUND"];
    if (thrown instanceof SpacktainersError && absent.includes(thrown.code)) return [];
    throw thrown;
  });
}
