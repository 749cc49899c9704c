import type { CacheIndex } from "../buildcache/types.ts";
import { chooseFromCaches } from "../concretize/chooseFromCaches.ts";
import { readManifest } from "../environment/manifest.ts";
import type { Dialect } from "../spec/abstract.ts";
import { runtimeClosure } from "../spec/closure.ts";
import type { ConcreteSpec, SpecGraph } from "../spec/concrete.ts";
import { oneError } from "../util/errors.ts";

/** What decides a choice in addition to the specs. */
export interface ChoosingOptions {
  /** Newest microarchitecture that packages may be built for; default `x86_64_v3`. */
  readonly target?: string | undefined;
  /** Operating system that packages must be built on; default: any, but one for all. */
  readonly os?: string | undefined;
  /** The generation of the spec language; default: that of the caches. */
  readonly dialect?: Dialect | undefined;
}

/** Packages that go together. */
export interface ChosenPackages {
  /** One for each spec, in their order. */
  readonly roots: readonly ConcreteSpec[];
  /** What has to be installed for them: the link/run closure without external packages, dependents first. */
  readonly packages: readonly ConcreteSpec[];
  /** Everything that the roots reach, by hash. */
  readonly graph: SpecGraph;
}

/**
 * For every spec the cached package that Spack would reuse, so that all fit together. Only the index is asked: nothing is verified
 * (see `findPackage` of the caches), and no recipe is known, so that preferences of variants that only recipes have do not count.
 *
 * @param specs as in the list `specs:` of a `spack.yaml`
 * @throws {SpacktainersError} `SPEC_SYNTAX`, `NO_SOLUTION`; `SpacktainersErrors` for several
 */
export function choosePackages(
  specs: readonly string[],
  index: CacheIndex,
  { target = "x86_64_v3", os, dialect = index.generation }: ChoosingOptions = {},
): ChosenPackages {
  const text = JSON.stringify({ spack: { specs } });
  const reading = readManifest(text, "specs", { dialect });
  if (reading.environment === undefined) throw oneError(reading.errors);
  const { roots, graph } = chooseFromCaches(reading.environment, index, { target, os });
  const hashes = roots.map(({ hash }) => hash);
  return {
    roots: hashes.flatMap((hash) => graph.get(hash) ?? []),
    packages: runtimeClosure(graph, hashes).packages,
    graph,
  };
}
