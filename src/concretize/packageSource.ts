/** Where cached specs are looked up: the part of cache indexes that choosing needs. */
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";

/** Cached specs by name, virtual and hash. A `CacheIndex` is one, of one cache or of several merged. */
export interface PackageSource {
  /** True if the archive of the spec can be downloaded. */
  has(hash: DagHash): boolean;
  /** Names of which at least one spec is downloadable. */
  names(): readonly string[];
  /** Hashes (downloadable or not) of all specs of a name. */
  hashesOf(name: string): readonly DagHash[];
  /** Names of packages known to provide a virtual. */
  providersOf(virtual: string): readonly string[];
  hashesWithPrefix(prefix: string): readonly DagHash[];
  spec(hash: DagHash): ConcreteSpec | undefined;
}

/** A source over specs in memory: a lock, a spec file, a test. */
export function sourceOf(
  specs: Iterable<ConcreteSpec>,
  has: (hash: DagHash) => boolean = () => true,
): PackageSource {
  const byHash = new Map<DagHash, ConcreteSpec>();
  const byName = new Map<string, DagHash[]>();
  const providers = new Map<string, Set<string>>();
  const provides = (virtual: string, name: string) =>
    providers.set(virtual, (providers.get(virtual) ?? new Set()).add(name));
  for (const spec of specs) {
    byHash.set(spec.hash, spec);
    const same = byName.get(spec.name);
    if (same === undefined) byName.set(spec.name, [spec.hash]);
    else same.push(spec.hash);
    for (const edge of spec.dependencies) for (const virtual of edge.virtuals) provides(virtual, edge.name);
    for (const virtual of spec.providedVirtuals ?? []) provides(virtual.replace(/@.*$/s, ""), spec.name);
  }
  for (const hashes of byName.values()) hashes.sort();
  const available = (spec: ConcreteSpec) => spec.external === undefined && has(spec.hash);
  return {
    has: (hash) => {
      const spec = byHash.get(hash);
      return spec !== undefined && available(spec);
    },
    names: () =>
      [...byName]
        .filter(([, hashes]) => hashes.some((hash) => has(hash) && byHash.get(hash)?.external === undefined))
        .map(([name]) => name)
        .sort(),
    hashesOf: (name) => byName.get(name) ?? [],
    providersOf: (virtual) => [...(providers.get(virtual) ?? [])].sort(),
    hashesWithPrefix: (prefix) => [...byHash.keys()].filter((hash) => hash.startsWith(prefix)).sort(),
    spec: (hash) => byHash.get(hash),
  };
}
