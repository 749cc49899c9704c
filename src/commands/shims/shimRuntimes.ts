/** Runtimes that shims can be for. */
export const shimRuntimes = [
  "apptainer",
  "singularity",
  "sarus",
  "podman",
  "podman-hpc",
  "shifter",
  "enroot",
  "charliecloud",
  "native",
] as const;
export type ShimRuntime = (typeof shimRuntimes)[number];
