/** The two submission scripts of the original documentation: Neurodamus with Sarus on a Cray, and with Apptainer on InfiniBand. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type JobRequest, makeJob, usualJob } from "../../src/commands/job/makeJob.ts";
import { ignoreEvents } from "../../src/util/events.ts";

const root = resolve(import.meta.dirname, "../..");
const directory = mkdtempSync(join(tmpdir(), "spacktainers-golden-"));
for (const item of ["sites", "container_definitions"])
  cpSync(join(root, item), join(directory, item), { recursive: true });
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const request: JobRequest = {
  ...usualJob,
  directory,
  image: "neurodamus-neocortex",
  site: "eiger",
  command: [],
  emit: ignoreEvents,
  signal: new AbortController().signal,
};
const neurodamus = [
  ...["special", "-mpi", "-python", "/opt/view/lib/python3.13/site-packages/neurodamus/data/init.py"],
  ...["--configFile=simulation_config.json", "--enable-shm=OFF", "--coreneuron-direct-mode"],
];

describe("the scripts of the original documentation", () => {
  it("runs Neurodamus with Sarus on 16 nodes with 128 tasks each", async () => {
    const { script } = await makeJob({
      ...request,
      command: neurodamus,
      resources: { account: "proj1", nodes: 16 },
      binds: ["/gpfs/data:/data:ro"],
    });
    expect(script).toBe(`#!/bin/bash -l
#SBATCH --job-name=neurodamus-neocortex
#SBATCH --account=proj1
#SBATCH --partition=normal
#SBATCH --constraint=mc
#SBATCH --nodes=16
#SBATCH --ntasks-per-node=128
#SBATCH --time=04:00:00
#SBATCH --exclusive

# neurodamus-neocortex at eiger, written by spacktainers job.
set -eu
export HDF5_USE_FILE_LOCKING=FALSE
unset PYTHONPATH PYTHONHOME PERL5LIB R_LIBS

srun --mpi=pmi2 \\
  sarus run --mpi \\
    --mount=type=bind,source="\${SCRATCH}",destination="\${SCRATCH}" \\
    --mount=type=bind,source=/gpfs/data,destination=/data,readonly \\
    --mount=type=bind,source="\${SLURM_SUBMIT_DIR}",destination="\${SLURM_SUBMIT_DIR}" \\
    --env=HDF5_USE_FILE_LOCKING \\
    --workdir="\${SLURM_SUBMIT_DIR}" \\
    --entrypoint '' \\
    ghcr.io/my-org/spack-neurodamus-neocortex:latest \\
    special -mpi -python /opt/view/lib/python3.13/site-packages/neurodamus/data/init.py --configFile=simulation_config.json --enable-shm=OFF --coreneuron-direct-mode
`);
  });

  it("runs Neurodamus with Apptainer on 2 nodes with 72 tasks each", async () => {
    const { script } = await makeJob({
      ...request,
      site: "jed",
      command: [...neurodamus, "--output-path=output", "--lb-mode=WholeCell"],
      resources: { nodes: 2 },
    });
    expect(script).toBe(`#!/bin/bash -l
#SBATCH --job-name=neurodamus-neocortex
#SBATCH --qos=parallel
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=72
#SBATCH --time=02:00:00

# neurodamus-neocortex at jed, written by spacktainers job.
set -eu
export HDF5_USE_FILE_LOCKING=FALSE
unset PYTHONPATH PYTHONHOME PERL5LIB R_LIBS

srun --mpi=pmi2 \\
  apptainer exec \\
    --bind=/work \\
    --bind="\${HOME}" \\
    --bind="\${SLURM_SUBMIT_DIR}" \\
    --pwd="\${SLURM_SUBMIT_DIR}" \\
    /work/images/spack-neurodamus-neocortex.sif \\
    special -mpi -python /opt/view/lib/python3.13/site-packages/neurodamus/data/init.py --configFile=simulation_config.json --enable-shm=OFF --coreneuron-direct-mode --output-path=output --lb-mode=WholeCell
`);
  });

  it("is the same every time, and knows what is given on the command line better than the site", async () => {
    const asked = {
      ...request,
      site: "jed",
      command: ["ring"],
      location: "$SCRATCH/my images/x.sif",
      resources: { nodes: 1, time: "00:10:00", exclusive: true },
      env: ["A=b c", "TOKEN"],
      workdir: "/work/run",
      mpi: "pmix",
    };
    const first = await makeJob(asked);
    expect((await makeJob(asked)).script).toBe(first.script);
    expect(first.script).toContain("#SBATCH --time=00:10:00\n#SBATCH --exclusive\n");
    expect(first.script).toContain("export A='b c'\n");
    // A value that is only here does not get into a file.
    expect(first.script).not.toMatch(/export TOKEN/);
    expect(first.script).toContain("srun --mpi=pmix ");
    expect(first.script).toContain(`"\${SCRATCH}/my images/x.sif"`);
    // The site's /work is bound, and has it.
    expect(first.script).not.toContain("--bind=/work/run");
  });

  it("names sites and containers that are near", async () => {
    await expect(makeJob({ ...request, site: "eigr", command: ["x"] })).rejects.toMatchObject({
      code: "USAGE",
      hint: expect.stringContaining("`eiger`"),
    });
    await expect(makeJob({ ...request, image: "neurodamus-neocorte", command: ["x"] })).rejects.toMatchObject(
      {
        code: "UNKNOWN_CONTAINER",
      },
    );
  });
});
