/** Spliced specs: built with other dependencies than they have. */
import { relocationOrder } from "./closure.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "./concrete.ts";
import { compareVersions, parseVersion } from "./versions.ts";

/**
 * For the prefixes that take part in relocating a spliced package: what stood in each one's place when the package was
 * built. By name; else by a virtual that both provide; of several the highest version (Spack's rule for splices).
 *
 * @returns the hash that the archive knows, by the hash in its place now; the same hash where nothing changed; empty for a
 *   spec that is not spliced, or whose build spec is not in the graph
 */
export function spliceAnalogs(graph: SpecGraph, spec: ConcreteSpec): Readonly<Record<string, DagHash>> {
  const analogs: Record<string, DagHash> = {};
  const built = spec.buildSpec === undefined ? undefined : graph.get(spec.buildSpec.hash);
  if (built === undefined) return analogs;
  const before = relocationOrder(graph, built.hash).flatMap((hash) => graph.get(hash) ?? []);
  const virtualsBefore = virtualsOf(graph, built.hash);
  const virtualsNow = virtualsOf(graph, spec.hash);
  for (const hash of relocationOrder(graph, spec.hash)) {
    const now = graph.get(hash);
    if (now === undefined) continue;
    if (hash === spec.hash) {
      analogs[hash] = built.hash;
      continue;
    }
    const named = before.filter(({ name }) => name === now.name);
    const provided = virtualsNow.get(hash) ?? new Set();
    const candidates =
      named.length > 0
        ? named
        : before.filter((one) =>
            [...(virtualsBefore.get(one.hash) ?? [])].some((virtual) => provided.has(virtual)),
          );
    const same = candidates.find((one) => one.hash === hash);
    const [best] = [...candidates].sort(
      (a, b) =>
        compareVersions(parseVersion(b.version, "1.x"), parseVersion(a.version, "1.x")) ||
        (a.hash < b.hash ? -1 : 1),
    );
    analogs[hash] = (same ?? best ?? now).hash;
  }
  return analogs;
}

/** The virtuals that packages below a root provide to their dependents. */
function virtualsOf(graph: SpecGraph, root: DagHash): ReadonlyMap<DagHash, ReadonlySet<string>> {
  const virtuals = new Map<DagHash, Set<string>>();
  const seen = new Set([root]);
  for (const hash of seen) {
    for (const edge of graph.get(hash)?.dependencies ?? []) {
      const provided = virtuals.get(edge.hash) ?? new Set();
      for (const virtual of edge.virtuals) provided.add(virtual);
      virtuals.set(edge.hash, provided);
      seen.add(edge.hash);
    }
  }
  return virtuals;
}
