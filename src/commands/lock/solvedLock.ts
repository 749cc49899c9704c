import { readFile } from "node:fs/promises";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { LoadedEnvironment } from "../../pipeline/choose/loadEnvironment.ts";
import { rootsOf, solvedChoice, withBuilder } from "../../pipeline/compile/buildMissing.ts";
import { findNeededPackages, type NeededPackages } from "../../pipeline/compile/neededPackages.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { formatSpec } from "../../spec/format.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";

/** What Spack chose for a container, and what of it has to be built. */
export interface SolvedLock {
  /** With Spack's lock. */
  readonly loaded: LoadedEnvironment & { readonly lockText: string };
  readonly needed: NeededPackages;
  /** Of the first spec. */
  readonly version: string;
}

/**
 * Lets Spack choose, where that is asked for or where the caches cannot answer and it is allowed. Nothing is written.
 *
 * @param keep roots that are in the lock and still in the manifest keep their locked configuration
 * @returns undefined where the caches are to answer
 * @throws {SpacktainersErrors} `NO_SOLUTION`; of getting Spack
 */
export async function solvedLock(
  container: Container,
  configuration: Configuration,
  keep: boolean,
  resources: Resources,
): Promise<SolvedLock | undefined> {
  const { building } = resources;
  if (building === undefined) return undefined;
  const before = keep && container.lock !== undefined ? await readFile(container.lock, "utf8") : undefined;
  const unlocked = { ...container, lock: undefined };
  return withBuilder(container, configuration, building, resources, async (builder) => {
    const chosen = await solvedChoice(unlocked, configuration, building, resources, builder, before);
    if (chosen === undefined) return undefined;
    const { lock, lockText } = chosen;
    const { environment } = chosen.loaded;
    const needed = await findNeededPackages({ graph: lock.graph, roots: rootsOf(lock) }, resources);
    const [wanted] = environment.specs;
    const first =
      wanted === undefined
        ? lock.roots[0]
        : (lock.roots.find(({ request }) => request === formatSpec(wanted.spec, environment.dialect)) ??
          lock.roots.find(({ hash }) => concreteSatisfies(lock.graph, hash, wanted.spec, environment)));
    return {
      loaded: { ...chosen.loaded, lock, lockText, stale: [] },
      needed,
      version: first === undefined ? "" : (lock.graph.get(first.hash)?.version ?? ""),
    };
  });
}
