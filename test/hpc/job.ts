import type { Job } from "../../src/hpc/job.ts";

/** A job with nothing special about it. */
export const plainJob: Job = {
  name: "hello",
  site: "here",
  runtime: "apptainer",
  image: "/images/hello.sif",
  plainHttp: false,
  command: ["ring"],
  resources: { nodes: 2, tasksPerNode: 4 },
  sbatch: [],
  pmi: { plugin: "pmi2", because: "" },
  hostMpi: false,
  gpu: undefined,
  binds: [{ source: "$SLURM_SUBMIT_DIR", target: "$SLURM_SUBMIT_DIR", readOnly: false }],
  workdir: "$SLURM_SUBMIT_DIR",
  environment: { HDF5_USE_FILE_LOCKING: "FALSE" },
  inherited: [],
  modules: [],
  prologue: [],
  shareNamespaces: false,
  annotations: {},
  log: undefined,
};
