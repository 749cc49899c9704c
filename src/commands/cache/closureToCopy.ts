/** Which packages make a copy whole, and in which order they go. */
import type { CacheIndex } from "../../buildcache/types.ts";
import { briefSpec, type ConcreteSpec, type DagHash } from "../../spec/concrete.ts";

/** What has packages: an index, an install tree. */
export type PackageHolder = Pick<CacheIndex, "has" | "spec">;

/** Packages to copy, and what cannot be. */
export interface CopyClosure {
  /** Dependencies before what needs them. */
  readonly specs: readonly ConcreteSpec[];
  /** What is needed at run time and is neither in the one cache nor in the other. */
  readonly missing: readonly { readonly spec: string; readonly by: string }[];
  /** What was needed to build and is in neither: `name@version/hash`, shortened. */
  readonly missingBuild: readonly string[];
}

/**
 * Packages with all that they need at run time, and with what they were built with where that is asked for. Of a spliced package
 * the archive that it is made of is needed, too.
 *
 * @param from what the cache that is copied from has
 * @param to what the other one has: it need not be copied
 */
export function closureToCopy(
  chosen: Iterable<ConcreteSpec>,
  from: readonly PackageHolder[],
  to: readonly PackageHolder[],
  withBuild: boolean,
): CopyClosure {
  const specOf = (hash: DagHash): ConcreteSpec | undefined => {
    for (const index of [...from, ...to]) {
      const spec = index.spec(hash);
      if (spec !== undefined) return spec;
    }
    return undefined;
  };
  /** What is to be copied. */
  const found = new Map<DagHash, ConcreteSpec>();
  /** What is to be copied, and spliced packages of which only the archive is there that they are made of. */
  const visited = new Map<DagHash, ConcreteSpec>();
  const missing = new Map<DagHash, { readonly spec: string; readonly by: string }>();
  const missingBuild = new Map<DagHash, string>();
  const take = (hash: DagHash, name: string, by: ConcreteSpec | undefined, isNeeded: boolean): void => {
    if (visited.has(hash)) return;
    const spec = specOf(hash);
    if (spec?.external !== undefined) return;
    const isThere = from.some((index) => index.has(hash));
    if (spec !== undefined && (isThere || spec.buildSpec !== undefined)) visited.set(hash, spec);
    if (spec !== undefined && isThere) found.set(hash, spec);
    else if (visited.has(hash)) return;
    else if (!to.some((index) => index.has(hash))) {
      const text = spec === undefined ? `${name}/${hash.slice(0, 7)}` : briefSpec(spec);
      if (!isNeeded) missingBuild.set(hash, text);
      else if (!missing.has(hash))
        missing.set(hash, { spec: text, by: by === undefined ? "the command line" : briefSpec(by) });
    }
  };
  for (const spec of chosen) take(spec.hash, spec.name, undefined, true);
  for (const spec of visited.values()) {
    if (spec.buildSpec !== undefined) take(spec.buildSpec.hash, spec.buildSpec.name, spec, true);
    for (const { hash, name, types } of spec.dependencies) {
      const isNeeded = types.has("link") || types.has("run");
      if (isNeeded || withBuild) take(hash, name, spec, isNeeded);
    }
  }
  for (const hash of missing.keys()) missingBuild.delete(hash);
  return {
    specs: dependenciesFirst(found),
    missing: [...missing.values()],
    missingBuild: [...missingBuild.values()].sort(),
  };
}

/** Specs such that dependencies among them come before what needs them; else by name, version and hash. */
export function dependenciesFirst(specs: ReadonlyMap<DagHash, ConcreteSpec>): readonly ConcreteSpec[] {
  const order: ConcreteSpec[] = [];
  const state = new Map<DagHash, "open" | "done">();
  const sorted = [...specs.values()].sort((a, b) => (briefSpec(a) < briefSpec(b) ? -1 : 1));
  for (const first of sorted) {
    // Without recursion: chains may be long.
    const stack: { readonly spec: ConcreteSpec; next: number }[] = [{ spec: first, next: 0 }];
    if (state.has(first.hash)) continue;
    state.set(first.hash, "open");
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const edge = top.spec.dependencies[top.next++];
      if (edge === undefined) {
        order.push(top.spec);
        state.set(top.spec.hash, "done");
        stack.pop();
        continue;
      }
      const dependency = specs.get(edge.hash);
      if (dependency === undefined || state.has(edge.hash)) continue;
      state.set(edge.hash, "open");
      stack.push({ spec: dependency, next: 0 });
    }
  }
  return order;
}
