import type { CacheIndex } from "../buildcache/types.ts";
import { listedSpecs, namesWanted, wantedSpecs } from "../commands/cache/listedSpecs.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";

/**
 * The packages that an index lists as downloadable and that satisfy a spec, sorted by name, version and hash. An index is a hint:
 * `findPackage` of the caches verifies.
 *
 * @param spec as on Spack's command line; virtual packages (`mpi`) stand for those that provide them
 * @throws {SpacktainersError} `SPEC_SYNTAX`
 */
export function packagesSatisfying(index: CacheIndex, spec: string): readonly ConcreteSpec[] {
  const wanted = wantedSpecs([spec]);
  const names = namesWanted(index, wanted) ?? index.names();
  const found = [...names].flatMap((name) => [...listedSpecs(index, name, wanted)]);
  const rank = ({ name, version, hash }: ConcreteSpec): string => [name, version, hash].join(" ");
  return found.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}
