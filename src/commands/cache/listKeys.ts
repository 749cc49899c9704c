import type { CacheKey } from "../../buildcache/cacheKeys.ts";
import { mergeKeys, type TrustedKey } from "../../openpgp/mergeKeys.ts";
import { readKeyMaterial } from "../../openpgp/readKeys.ts";
import { type Clock, systemClock } from "../../util/clock.ts";
import { errorsOf } from "../../util/errors.ts";
import { type CacheRequest, namedCaches } from "./openNamedCaches.ts";

/** A key that a cache publishes, or that is trusted for it. */
export interface ListedKey {
  readonly cache: string;
  /** Of the primary key, upper-case hexadecimal. */
  readonly fingerprint: string;
  /** Whether the cache publishes it. This proves nothing, because anyone who can write to the cache can publish keys. */
  readonly published: boolean;
  /** Whether the configuration (or `--trust`) trusts it for this cache. */
  readonly trusted: boolean;
  /** Whether it can be used now. */
  readonly state: "good" | "expired" | "revoked" | "unreadable";
  /** User ID that the key states. */
  readonly users: readonly string[];
  /** ISO 8601. */
  readonly created: string | undefined;
  /** ISO 8601; undefined for a key that does not expire. */
  readonly expires: string | undefined;
  /** Why it cannot be used, where that is not said yet. */
  readonly problem: string | undefined;
  /** The key itself, as published; undefined if the cache lists it but does not have it. */
  readonly armored: string | undefined;
}

/**
 * The keys that caches publish and the keys trusted for them: one a cache and key, by cache and fingerprint.
 *
 * @throws {SpacktainersError} of the caches; `KEY_INVALID` for a configured key that cannot be read
 */
export async function listKeys(
  request: CacheRequest,
  clock: Clock = systemClock,
): Promise<readonly ListedKey[]> {
  const { sources, open } = await namedCaches(request);
  const set = open();
  try {
    const openpgp = await import("openpgp");
    const lists = await Promise.all(
      set.caches.map(async (cache, at): Promise<readonly ListedKey[]> => {
        const trusted = await mergeKeys(openpgp, await readKeyMaterial(openpgp, sources[at]?.keys ?? []));
        const published = await cache.keys();
        const names = new Set([
          ...published.map(({ fingerprint }) => fingerprint),
          ...trusted.map(({ fingerprint }) => fingerprint),
        ]);
        return Promise.all(
          [...names].sort().map(async (fingerprint) => {
            const own = trusted.find((key) => key.fingerprint === fingerprint);
            const offer = published.find((key) => key.fingerprint === fingerprint);
            const facts =
              own === undefined ? await publishedFacts(openpgp, offer, clock) : await factsOf(own, clock);
            return {
              cache: cache.url,
              fingerprint,
              published: offer !== undefined,
              trusted: own !== undefined,
              ...facts,
              armored: offer?.armored,
            };
          }),
        );
      }),
    );
    return lists.flat();
  } finally {
    await set.close();
  }
}

type KeyListing = Pick<ListedKey, "state" | "users" | "created" | "expires" | "problem">;

async function publishedFacts(
  openpgp: typeof import("openpgp"),
  key: CacheKey | undefined,
  clock: Clock,
): Promise<KeyListing> {
  const unreadable = (problem: string): KeyListing => ({
    state: "unreadable",
    users: [],
    created: undefined,
    expires: undefined,
    problem,
  });
  if (key?.armored === undefined) return unreadable("the cache lists it but does not have it");
  try {
    const file = { name: key.fingerprint, content: Buffer.from(key.armored) };
    const keys = await mergeKeys(openpgp, await readKeyMaterial(openpgp, [file]));
    const found = keys.find(({ fingerprint }) => fingerprint === key.fingerprint);
    if (found !== undefined) return await factsOf(found, clock);
    const inside = keys.map(({ fingerprint }) => fingerprint).join(", ");
    return unreadable(`what the cache has under this name is another key: ${inside}`);
  } catch (thrown) {
    return unreadable(errorsOf(thrown)[0]?.message ?? "it cannot be read");
  }
}

async function factsOf({ key, revoked }: TrustedKey, clock: Clock): Promise<KeyListing> {
  const expires = await key.getExpirationTime().catch(() => null);
  const end = expires instanceof Date ? expires : undefined;
  const expired = expires === null || (end !== undefined && end.getTime() <= clock());
  return {
    state: revoked !== undefined ? "revoked" : expired ? "expired" : "good",
    users: key.getUserIDs(),
    created: key.getCreationTime().toISOString(),
    expires: end?.toISOString(),
    problem: expires === null && revoked === undefined ? "nothing proves whose key it is" : undefined,
  };
}
