/**
 * A site as written: an entry of `sites:`, or a file of its own. Written out, so that the library's types do not name the
 * library of the schema ({@link ./siteSchema.ts}).
 */

/**
 * Runtimes a site may have. `pyxis`: `srun --container-image`, by enroot; `container-engine`: CSCS' `srun --environment`; `slurm`:
 * `srun --container`, of a bundle; `native`: our own runner.
 */
export const siteRuntimes = [
  "apptainer",
  "singularity",
  "sarus",
  "podman",
  "docker",
  "native",
  "pyxis",
  "container-engine",
  "podman-hpc",
  "shifter",
  "charliecloud",
  "slurm",
] as const;

/** Rule by which the host's MPI takes the place of the container's. */
export interface ReplaceMpi {
  readonly family?: "mpich" | "openmpi" | undefined;
  readonly soname?: string | undefined;
  readonly abi?: string | undefined;
  readonly versions?: string | undefined;
  readonly "not-versions"?: string | undefined;
  readonly libfabric?: string | undefined;
  readonly glibc?: string | undefined;
  readonly "not-bundled"?: string | readonly string[] | undefined;
}

/** The processors of some nodes. */
export interface SiteProcessor {
  readonly target: string;
  readonly partition?: string | undefined;
  readonly constraint?: string | undefined;
}

/** A cluster. */
export interface SiteConfiguration {
  readonly description?: string | undefined;
  readonly runtime?: (typeof siteRuntimes)[number] | undefined;
  readonly mpi?: string | readonly string[] | undefined;
  readonly "replace-mpi"?: ReplaceMpi | undefined;
  readonly target?: string | undefined;
  readonly targets?: readonly SiteProcessor[] | undefined;
  readonly glibc?: string | undefined;
  readonly binds?: string | readonly string[] | undefined;
  readonly workdir?: string | undefined;
  readonly image?: string | undefined;
  readonly modules?: string | readonly string[] | undefined;
  readonly prologue?: string | readonly string[] | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly account?: string | undefined;
  readonly partition?: string | undefined;
  readonly qos?: string | undefined;
  readonly constraint?: string | undefined;
  readonly nodes?: number | undefined;
  readonly "tasks-per-node"?: number | undefined;
  readonly "cpus-per-task"?: number | undefined;
  readonly time?: string | undefined;
  readonly memory?: string | undefined;
  readonly exclusive?: boolean | undefined;
  readonly "gpus-per-node"?: number | string | undefined;
  readonly "gpu-driver"?: string | undefined;
  readonly sbatch?: string | readonly string[] | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly "share-namespaces"?: boolean | undefined;
}
