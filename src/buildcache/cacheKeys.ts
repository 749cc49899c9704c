/** The public keys that a cache publishes itself. Whoever can write to the cache can write them: nobody trusts them. */

/** A key as a cache publishes it. */
export interface CacheKey {
  /** Fingerprint of the primary key, upper-case hexadecimal, as the cache claims. */
  readonly fingerprint: string;
  /** The armoured public key; undefined when the cache lists it but does not have it. */
  readonly armored: string | undefined;
}

/** The keys of several formats of a cache as one list: each once, by fingerprint. */
export function mergeCacheKeys(lists: readonly (readonly CacheKey[])[]): readonly CacheKey[] {
  const keys = new Map<string, CacheKey>();
  for (const key of lists.flat())
    if (keys.get(key.fingerprint)?.armored === undefined) keys.set(key.fingerprint, key);
  return [...keys.values()].sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
}
