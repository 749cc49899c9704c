import { resolve } from "node:path";
import { openCacheWriter } from "../../buildcache/formats/openWriter.ts";
import { readKeyFile } from "../../openpgp/keyFile.ts";
import { mergeKeys } from "../../openpgp/mergeKeys.ts";
import { readKeyMaterial } from "../../openpgp/readKeys.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type CacheRequest, namedCaches } from "./openNamedCaches.ts";
import { pushedSources } from "./pushedSources.ts";

/** A key that was published in a cache, or taken out of it. */
export interface PublishedKey {
  readonly cache: string;
  readonly fingerprint: string;
  /** `present`: it was there. */
  readonly outcome: "written" | "present" | "removed";
}

/** A command line of `cache keys` that changes what is published. */
export interface PublishKeysRequest extends CacheRequest {
  /** Files of public keys to publish. */
  readonly publish: readonly string[];
  /** Fingerprints of keys to take out. */
  readonly withdraw: readonly string[];
}

/**
 * Publishes public keys in caches, so that Spack offers them (`spack buildcache keys`), and takes others out: in the caches that are
 * named, else in those of the configuration that are pushed to.
 *
 * @throws {SpacktainersError} `KEY_INVALID` for a file that is no public key; `NOT_SUPPORTED` for a registry; of the caches
 */
export async function publishKeys(request: PublishKeysRequest): Promise<readonly PublishedKey[]> {
  const { directory, emit, signal, publish, withdraw } = request;
  const openpgp = await import("openpgp");
  const files = await Promise.all(publish.map((path) => readKeyFile(resolve(directory, path), {})));
  const keys = await mergeKeys(openpgp, await readKeyMaterial(openpgp, files));
  const gone = withdraw.map(fingerprintOf);
  const results: PublishedKey[] = [];
  for (const source of pushedSources(await namedCaches(request), request)) {
    // A key has no signature of the cache's: none is needed to publish it.
    const writer = openCacheWriter({ ...source, unsigned: true }, { signer: undefined }, { emit, signal });
    try {
      for (const { fingerprint, key } of keys) {
        const outcome = await writer.putKey({ fingerprint, armored: key.armor() });
        results.push({ cache: writer.url, fingerprint, outcome });
      }
      for (const fingerprint of gone) {
        await writer.removeKey(fingerprint);
        results.push({ cache: writer.url, fingerprint, outcome: "removed" });
      }
    } finally {
      await writer.close();
    }
  }
  return results;
}

function fingerprintOf(text: string): string {
  const fingerprint = text.replaceAll(" ", "").toUpperCase();
  if (/^(?:[0-9A-F]{40}|[0-9A-F]{64})$/.test(fingerprint)) return fingerprint;
  throw new SpacktainersError("USAGE", `\`${text}\` is not the whole fingerprint of a key`, {
    hint: "spacktainers cache keys lists them",
  });
}
