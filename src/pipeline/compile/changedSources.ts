/** Packages of `develop:` that were built from a folder that has changed since. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { packagePaths } from "../../buildcache/formats/v2/paths.ts";
import { manifestPath } from "../../buildcache/formats/v3/paths.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import { builtCaches } from "../../spack/folders.ts";
import { briefSpec, type ConcreteSpec, type DagHash, type SpecGraph } from "../../spec/concrete.ts";
import { developedPackages, developFolder } from "../../spec/developedPackages.ts";
import type { EmitEvent } from "../../util/events.ts";

/** Files and folders looked at in one folder of sources; what lies beyond is not seen. */
const mostEntries = 200_000;

/** When a package was built here, and why it has to be built again. */
interface Verdict {
  /** Milliseconds since 1970; undefined if this machine's build cache does not have it. */
  readonly built: number | undefined;
  /** What is newer: a path, or a package. Undefined: nothing. */
  readonly newer: string | undefined;
}

/**
 * Finds packages that this machine built from a folder of `develop:` that has changed since, and packages that it built with an older
 * build of such a package. Their hashes stay the same; as Spack does, this goes by the times of the files.
 *
 * @param graph of a lock
 * @param trust as in `Building`
 * @returns for each package, what is newer than it: a path, or the name of a package
 */
export async function findOutdated(graph: SpecGraph, trust: string): Promise<ReadonlyMap<DagHash, string>> {
  const developed = developedPackages(graph);
  const verdicts = new Map<DagHash, Promise<Verdict>>();
  const judge = (spec: ConcreteSpec): Promise<Verdict> => {
    const known = verdicts.get(spec.hash);
    if (known !== undefined) return known;
    const verdict = decide(spec);
    verdicts.set(spec.hash, verdict);
    return verdict;
  };
  const decide = async (spec: ConcreteSpec): Promise<Verdict> => {
    const built = await builtHere(spec, graph, trust);
    if (built === undefined) return { built, newer: undefined };
    const folder = developFolder(spec);
    const changed =
      folder === undefined ? undefined : await changedAfter(folder, built, { entries: mostEntries });
    if (changed !== undefined) return { built, newer: changed };
    for (const { hash } of spec.dependencies) {
      const dependency = developed.has(hash) ? graph.get(hash) : undefined;
      if (dependency === undefined) continue;
      const below = await judge(dependency);
      if (below.newer !== undefined || (below.built ?? 0) > built)
        return { built, newer: briefSpec(dependency) };
    }
    return { built, newer: undefined };
  };
  const outdated = new Map<DagHash, string>();
  for (const hash of developed) {
    const spec = graph.get(hash);
    const newer = spec === undefined ? undefined : (await judge(spec)).newer;
    if (newer !== undefined) outdated.set(hash, newer);
  }
  return outdated;
}

/** When this machine's build cache got a package; undefined if it does not have it. */
async function builtHere(spec: ConcreteSpec, graph: SpecGraph, trust: string): Promise<number | undefined> {
  const { "0.x": older, "1.x": newer } = builtCaches(trust);
  const files = [
    join(newer, manifestPath(spec)),
    ...packagePaths(spec, (hash) => graph.get(hash)).map(({ unsigned }) => join(older, unsigned)),
  ];
  const times = await Promise.all(files.map((file) => lstat(file).catch(() => undefined)));
  return times.find((facts) => facts !== undefined)?.mtimeMs;
}

/**
 * Warns of packages that a cache on this machine has, but that were built before their sources changed, and not by this machine's
 * builds: when they were built is not known well enough to build them again.
 *
 * @param cached the packages that are taken from caches
 * @param trust as in `Building`
 */
export async function warnOfChangedSources(
  cached: Iterable<CachedPackage>,
  trust: string,
  emit: EmitEvent,
): Promise<void> {
  for (const pkg of cached) {
    const folder = developFolder(pkg.built);
    // Of a package from elsewhere nobody here knows when it was built.
    if (folder === undefined || !pkg.archiveUrl.startsWith("/")) continue;
    if ((await builtHere(pkg.built, pkg.graph, trust)) !== undefined) continue;
    const built = await lstat(pkg.archiveUrl).catch(() => undefined);
    if (built === undefined) continue;
    const changed = await changedAfter(folder, built.mtimeMs, { entries: mostEntries });
    if (changed === undefined) continue;
    emit({
      type: "warning",
      code: "NOTICE",
      message: `${briefSpec(pkg.spec)} is not built again, although ${changed} changed after it was built`,
      place: { spec: briefSpec(pkg.spec), file: folder },
      hint: `its hash does not depend on the files in that folder; to build it again, give it another version in spack.yaml, or remove it from the build cache ${pkg.cacheUrl}`,
    });
  }
}

/**
 * The first thing found in a folder (or the folder itself) that changed after a moment; undefined if nothing did, or it is not there.
 * Links are not followed.
 */
async function changedAfter(
  path: string,
  time: number,
  left: { entries: number },
): Promise<string | undefined> {
  if (left.entries-- <= 0) return undefined;
  const facts = await lstat(path).catch(() => undefined);
  if (facts === undefined) return undefined;
  if (facts.mtimeMs > time) return path;
  if (!facts.isDirectory()) return undefined;
  for (const name of (await readdir(path).catch(() => [])).sort()) {
    // Git writes there when nothing else has changed.
    if (name === ".git") continue;
    const found = await changedAfter(join(path, name), time, left);
    if (found !== undefined) return found;
  }
  return undefined;
}
