/** Where packages can be built. */
export const executorNames = ["host", "container", "slurm"] as const;

/** One of {@link executorNames}. */
export type ExecutorName = (typeof executorNames)[number];

/** What can run a builder image, in the order in which they are tried. */
export const builderEngines = ["podman", "docker", "buildah", "apptainer", "singularity"] as const;

/** One of {@link builderEngines}. */
export type BuilderEngine = (typeof builderEngines)[number];
