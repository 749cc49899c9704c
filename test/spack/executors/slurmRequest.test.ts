import { describe, expect, it } from "vitest";
import { completeSlurm } from "../../../src/definitions/slurmConfiguration.ts";
import { jobName, requestOptions, submitEnvironment } from "../../../src/spack/executors/slurmRequest.ts";
import type { DagHash } from "../../../src/spec/concrete.ts";

const task = (resources: { cores: number; memory?: number; seconds?: number }) => ({
  label: "hdf5@1.14.5",
  hash: "abcdefg1234567890abcdefg12345678" as DagHash,
  cwd: "/logs",
  resources: { cores: resources.cores, memory: resources.memory, seconds: resources.seconds },
});

describe("jobOptions", () => {
  it("asks for what earlier builds took, with room to spare", () => {
    const options = requestOptions(
      task({ cores: 4, memory: 2 ** 30, seconds: 600 }),
      completeSlurm({
        partition: "build",
        account: "proj",
        qos: "q",
        constraint: "mc",
        args: ["--exclusive"],
      }),
      ["3", "4"],
      "/logs/x.slurm",
    );
    expect(options).toEqual([
      "--job-name=hdf5@1.14.5-abcdefg",
      "--output=/logs/x.slurm",
      "--error=/logs/x.slurm",
      "--chdir=/logs",
      "--nodes=1",
      "--ntasks=1",
      "--cpus-per-task=4",
      "--export=ALL",
      "--open-mode=append",
      "--partition=build",
      "--account=proj",
      "--qos=q",
      "--constraint=mc",
      "--time=50",
      "--mem=1792M",
      "--dependency=afterok:3:4",
      "--kill-on-invalid-dep=yes",
      "--requeue",
      "--exclusive",
    ]);
  });

  it("leaves to the site what nobody knows, and never asks for less than is configured", () => {
    const bare = requestOptions(task({ cores: 1 }), completeSlurm({}), [], "/o");
    expect(bare.join(" ")).not.toMatch(/--(?:time|mem|dependency|partition)/);
    const least = completeSlurm({ time: "2:00:00", memory: "8G" });
    const small = requestOptions(task({ cores: 1, memory: 1000, seconds: 1 }), least, [], "/o");
    expect(small).toContain("--time=120");
    expect(small).toContain("--mem=8192M");
    const unlimited = requestOptions(task({ cores: 1 }), completeSlurm({ time: "UNLIMITED" }), [], "/o");
    expect(unlimited).toContain("--time=UNLIMITED");
  });

  it("gives a job a name that is one word", () => {
    expect(jobName({ ...task({ cores: 1 }), label: "a b;c@1" })).toBe("a_b_c@1-abcdefg");
  });
});

describe("submitEnvironment", () => {
  it("takes nothing secret to the nodes, and nothing of a job that we are part of", () => {
    expect(
      submitEnvironment({
        PATH: "/bin",
        SLURM_CONF: "/s",
        SBATCH_ACCOUNT: "a",
        SLURM_CPUS_PER_TASK: "3",
        SLURM_JOB_ID: "4",
        AWS_SECRET_ACCESS_KEY: "canary",
        HTTPS_PROXY: "http://canary@p",
      }),
    ).toEqual({ PATH: "/bin", SLURM_CONF: "/s", SBATCH_ACCOUNT: "a" });
  });
});
