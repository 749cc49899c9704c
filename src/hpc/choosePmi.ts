/** Which `srun --mpi=…` lets the ranks of a container find one another. */
import type { MpiLibrary, PmiFlavour } from "./mpiLibrary.ts";

/** Protocols that a plug-in of `srun` serves. Slurm's pmi2 understands clients of PMI-1 as well. Source: Slurm's MPI guide. */
export function servedBy(plugin: string): readonly PmiFlavour[] {
  if (plugin === "pmi2") return ["pmi1", "pmi2"];
  if (/^pmix(?:_v\d+)?$/.test(plugin)) return ["pmix"];
  if (plugin === "cray_shasta") return ["cray"];
  return [];
}

/** The plug-in to use, or why there is none. */
export type PmiChoice =
  | { readonly plugin: string; readonly because: string }
  | { readonly plugin: undefined; readonly because: string };

/**
 * Chooses a plug-in.
 *
 * @param library the container's MPI; undefined when the image has none
 * @param available what the site's `srun --mpi=list` has, the preferred first
 * @param replaced the host's MPI takes its place: then that decides, which is the site's first choice
 */
export function choosePmi(
  library: MpiLibrary | undefined,
  available: readonly string[],
  replaced: boolean,
): PmiChoice {
  if (library === undefined) return { plugin: undefined, because: "the image has no MPI library" };
  const [first] = available;
  if (replaced)
    return first === undefined
      ? { plugin: undefined, because: "the site names no plug-in" }
      : { plugin: first, because: "the host's MPI takes the place of the container's" };
  const speaks = new Set(library.pmi.map(({ flavour }) => flavour));
  const plugin = available.find((name) => servedBy(name).some((flavour) => speaks.has(flavour)));
  const spoken =
    speaks.size === 0 ? "no protocol that spacktainers knows" : [...speaks].map(pmiName).join(" and ");
  const because = `the container's ${mpiName(library)} speaks ${spoken}`;
  return plugin === undefined ? { plugin: undefined, because } : { plugin, because };
}

/** A protocol's name for people. */
export function pmiName(flavour: PmiFlavour): string {
  return { pmi1: "PMI-1", pmi2: "PMI-2", pmix: "PMIx", cray: "Cray's PMI" }[flavour];
}

/** A library's name for people: `MPICH 4.0.2`. */
export function mpiName({ family, version }: Pick<MpiLibrary, "family" | "version">): string {
  const name = {
    mpich: "MPICH",
    intel: "Intel MPI",
    mvapich: "MVAPICH",
    cray: "Cray MPICH",
    openmpi: "Open MPI",
  }[family];
  return version === undefined ? name : `${name} ${version}`;
}

/**
 * The library that programs of the image load: the one in the loader's cache, else the first.
 * @param cached paths of the cache, followed
 */
export function mainMpi(
  libraries: readonly MpiLibrary[],
  cached: readonly (string | undefined)[],
): MpiLibrary | undefined {
  return libraries.find(({ path }) => cached.includes(path)) ?? libraries[0];
}
