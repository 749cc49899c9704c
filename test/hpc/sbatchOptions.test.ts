import { describe, expect, it } from "vitest";
import { batchScript } from "../../src/hpc/batchScript.ts";
import { asksForGpus, jobOptions, parseSbatchOption } from "../../src/hpc/sbatchOptions.ts";
import { plainJob } from "./job.ts";

const parsed = (...texts: readonly string[]) => texts.map(parseSbatchOption);

describe("parseSbatchOption", () => {
  it.each([
    ["--array=1-10%2", "array", "1-10%2"],
    ["hint=nomultithread", "hint", "nomultithread"],
    ["--mail-type END,FAIL", "mail-type", "END,FAIL"],
    ["requeue", "requeue", undefined],
    ["-d afterok:1:2", "dependency", "afterok:1:2"],
    ["-G4", "gpus", "4"],
    ["--comment=a = b", "comment", "a = b"],
    ["hetjob", "hetjob", undefined],
    ["packjob", "hetjob", undefined],
  ])("reads %s", (text, name, value) => {
    expect(parseSbatchOption(text)).toEqual({ name, value });
  });

  it.each([
    "",
    "--",
    "-",
    "1=2",
    "--Array=1",
    "a\nb",
    "--array=1\n#SBATCH --nodes=9",
    "--wrap=id",
    "-Y 1",
    "--version",
  ])("refuses %j", (text) => {
    expect(() => parseSbatchOption(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});

describe("jobOptions", () => {
  it("lets the command line have the last word, option by option", () => {
    const site = parsed("hint=nomultithread", "gres=nvme:1", "hetjob", "nodes=1");
    expect(jobOptions(site, parsed("gres=gpu:2", "requeue"))).toEqual(
      parsed("hint=nomultithread", "gres=gpu:2", "requeue", "hetjob", "nodes=1"),
    );
    expect(jobOptions(site, parsed("hetjob", "nodes=2"))).toEqual(
      parsed("hint=nomultithread", "gres=nvme:1", "hetjob", "nodes=2"),
    );
  });

  it("says which of the job's own options is meant, but for the other components", () => {
    for (const text of ["nodes=2", "-N 2", "mem=4G", "job-name=x", "-o f"])
      expect(() => jobOptions([], parsed(text))).toThrow("its own option here");
    expect(jobOptions([], parsed("hetjob", "nodes=2"))).toHaveLength(2);
  });
});

it("knows which options ask for GPUs", () => {
  for (const text of ["gres=gpu:1", "gres=nvme:1,gpu:a100:2", "gpus=4", "gpus-per-task=1", "gres=gres/gpu"])
    expect(asksForGpus(parsed(text)), text).toBe(true);
  for (const text of ["gres=nvme:1", "gpu-bind=none", "hint=x"])
    expect(asksForGpus(parsed(text)), text).toBe(false);
});

describe("a script", () => {
  const head = (more: Partial<typeof plainJob>) =>
    batchScript({ ...plainJob, resources: {}, ...more })
      .split("\n")
      .filter((line) => /^#SBATCH|^srun/.test(line));

  it("has the options, quoted as Slurm wants them, and starts one program in all components", () => {
    expect(
      head({
        sbatch: parsed("array=1-3", 'comment=a "b" # c', "requeue", "hetjob", "nodes=1", "partition=gpu"),
      }),
    ).toEqual([
      "#SBATCH --job-name=hello",
      "#SBATCH --array=1-3",
      '#SBATCH --comment="a \\"b\\" # c"',
      "#SBATCH --requeue",
      "#SBATCH hetjob",
      "#SBATCH --nodes=1",
      "#SBATCH --partition=gpu",
      "srun --mpi=pmi2 --het-group=0-1 \\",
    ]);
  });

  it("asks Slurm for the GPUs that it shows", () => {
    expect(head({ gpu: "nvidia" })).toContain("#SBATCH --gpus-per-node=1");
    expect(head({ gpu: "rocm", resources: { gpusPerNode: "a100:4" } })).toContain(
      "#SBATCH --gpus-per-node=a100:4",
    );
    expect(head({ gpu: "nvidia", sbatch: parsed("gres=gpu:2") }).join()).not.toContain("gpus-per-node");
    expect(head({}).join()).not.toContain("gpus");
  });
});
