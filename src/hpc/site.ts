/** A cluster, complete with defaults. */
import type { Configuration } from "../definitions/configuration.ts";
import { didYouMean } from "../definitions/nearest.ts";
import type { SiteConfiguration, siteRuntimes } from "../definitions/siteConfiguration.ts";
import { SpacktainersError } from "../util/errors.ts";
import { parseSbatchOption, type SbatchOption } from "./sbatchOptions.ts";
import type { VersionBounds } from "./versionBounds.ts";
import { parseVersionBounds } from "./versionBounds.ts";

/** What runs containers at a site; `native` is our own runner. */
export type SiteRuntime = (typeof siteRuntimes)[number];

/** What a job may ask of Slurm. */
export interface JobResources {
  readonly account?: string | undefined;
  readonly partition?: string | undefined;
  readonly qos?: string | undefined;
  readonly constraint?: string | undefined;
  readonly nodes?: number | undefined;
  readonly tasksPerNode?: number | undefined;
  readonly cpusPerTask?: number | undefined;
  readonly time?: string | undefined;
  readonly memory?: string | undefined;
  readonly exclusive?: boolean | undefined;
  /** As Slurm takes it: a number, or a type and a number. */
  readonly gpusPerNode?: string | undefined;
}

/** Rule by which the host's MPI takes the place of the container's. */
export interface MpiReplacement {
  readonly family: "mpich" | "openmpi";
  readonly soname: string;
  readonly abi: string | undefined;
  /** Versions of the container's MPI that work. */
  readonly versions: VersionBounds | undefined;
  /** Those that do not; what is in neither is not known. Undefined: all that are not in `versions`. */
  readonly notVersions: VersionBounds | undefined;
  readonly libfabric: VersionBounds | undefined;
  readonly glibc: string | undefined;
  readonly notBundled: readonly string[];
}

export interface Site {
  readonly name: string;
  readonly description: string | undefined;
  readonly runtime: SiteRuntime;
  /** Plug-ins of `srun --mpi=…`, the preferred first. */
  readonly mpi: readonly string[];
  readonly replaceMpi: MpiReplacement | undefined;
  readonly targets: readonly {
    readonly target: string;
    readonly partition?: string | undefined;
    readonly constraint?: string | undefined;
  }[];
  readonly glibc: string | undefined;
  /** As written: `$NAME` in them is filled in by the job's shell. */
  readonly binds: readonly string[];
  readonly workdir: string | undefined;
  readonly image: string | undefined;
  readonly modules: readonly string[];
  readonly prologue: readonly string[];
  /** Ranks of a node share a user namespace, where Apptainer makes one for each otherwise. */
  readonly shareNamespaces: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly resources: JobResources;
  /** Other options of `sbatch`. */
  readonly sbatch: readonly SbatchOption[];
  /** Version of NVIDIA's driver on the nodes. */
  readonly gpuDriver: string | undefined;
  /** Annotations for the Container Engine. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** Whether a runtime has a way to let the host's MPI take the place of the container's. */
export function replacesMpi(runtime: SiteRuntime): boolean {
  return runtime === "sarus" || runtime === "podman-hpc" || runtime === "shifter";
}

/**
 * Fills in the defaults of a site as it is written.
 * @throws SpacktainersError USAGE: an option of `sbatch` that cannot be one, which `siteProblems` finds before
 */
export function completeSite(name: string, site: SiteConfiguration): Site {
  const rule = site["replace-mpi"];
  return {
    name,
    description: site.description,
    runtime: site.runtime ?? "apptainer",
    mpi: asList(site.mpi ?? "pmi2"),
    replaceMpi:
      rule === undefined
        ? undefined
        : {
            family: rule.family ?? "mpich",
            soname: rule.soname ?? "libmpi.so.12",
            abi: rule.abi,
            versions: rule.versions === undefined ? undefined : parseVersionBounds(rule.versions),
            notVersions:
              rule["not-versions"] === undefined ? undefined : parseVersionBounds(rule["not-versions"]),
            libfabric: rule.libfabric === undefined ? undefined : parseVersionBounds(rule.libfabric),
            glibc: rule.glibc,
            notBundled: asList(rule["not-bundled"]),
          },
    targets: [...(site.target === undefined ? [] : [{ target: site.target }]), ...(site.targets ?? [])],
    glibc: site.glibc,
    binds: asList(site.binds),
    workdir: site.workdir,
    image: site.image,
    modules: asList(site.modules),
    prologue: asList(site.prologue).flatMap((text) => text.trimEnd().split("\n")),
    shareNamespaces: site["share-namespaces"] ?? false,
    environment: site.environment ?? {},
    resources: {
      account: site.account,
      partition: site.partition,
      qos: site.qos,
      constraint: site.constraint,
      nodes: site.nodes,
      tasksPerNode: site["tasks-per-node"],
      cpusPerTask: site["cpus-per-task"],
      time: site.time,
      memory: site.memory,
      exclusive: site.exclusive,
      gpusPerNode: site["gpus-per-node"] === undefined ? undefined : String(site["gpus-per-node"]),
    },
    sbatch: asList(site.sbatch).map(parseSbatchOption),
    gpuDriver: site["gpu-driver"],
    annotations: site.annotations ?? {},
  };
}

/**
 * The site of a name.
 * @throws SpacktainersError USAGE, with the nearest names
 */
export function findSite(configuration: Pick<Configuration, "sites">, name: string): Site {
  const site = configuration.sites.get(name);
  if (site !== undefined) return completeSite(name, site);
  const known = [...configuration.sites.keys()];
  throw new SpacktainersError("USAGE", `there is no site \`${name}\``, {
    hint:
      didYouMean(name, known) ??
      (known.length === 0
        ? "describe it in sites/NAME.yaml or under `sites:` of spacktainers.yaml"
        : `known are ${known.sort().join(", ")}`),
  });
}

/** Microarchitectures of the nodes that a job may get: those of its partition and constraint, where the site tells them apart. */
export function targetsFor(site: Site, resources: JobResources): readonly string[] {
  const features = new Set((resources.constraint ?? "").split(/[^\w.-]+/));
  const fitting = site.targets.filter(
    ({ partition, constraint }) =>
      (partition === undefined || resources.partition === undefined || partition === resources.partition) &&
      (constraint === undefined || resources.constraint === undefined || features.has(constraint)),
  );
  return [...new Set((fitting.length === 0 ? site.targets : fitting).map(({ target }) => target))];
}

/** Values where one may stand without the brackets of a list. */
export function asList(value: string | readonly string[] | undefined): readonly string[] {
  return typeof value === "string" ? [value] : (value ?? []);
}
