import { describe, expect, it } from "vitest";
import { containerProcess } from "../../src/run/containerProcess.ts";
import { chosenLaunch, detectLaunch, type Launch } from "../../src/run/launcher.ts";

const rank = {
  HOME: "/home/u",
  SECRET: "x",
  SLURM_JWT: "token",
  SLURM_JOB_ID: "7",
  SLURM_STEP_ID: "0",
  SLURM_STEP_NUM_TASKS: "4",
  SLURM_PROCID: "2",
  PMI_FD: "11",
  PMI_RANK: "2",
  PMIX_SERVER_TMPDIR: "/tmp",
  PALS_SPOOL_DIR: "relative",
  PMIFY: "not ours",
};
const detect = (env: NodeJS.ProcessEnv, devices: readonly string[] = []): Launch | undefined =>
  detectLaunch(
    env,
    (number) => number === 11,
    () => devices,
  );

describe("detectLaunch", () => {
  it("takes what a launcher sets, and nothing else of ours", () => {
    const launch = detect(rank, ["cxi1", "cxi0", "null", "infiniband", "cxifoo"]);
    expect(launch).toMatchObject({
      launcher: "srun",
      alone: false,
      descriptor: 11,
      directories: ["/tmp"],
      devices: ["/dev/cxi0", "/dev/cxi1", "/dev/infiniband"],
    });
    expect([...(launch?.variables.keys() ?? [])]).toEqual([
      "PALS_SPOOL_DIR",
      "PMIX_SERVER_TMPDIR",
      "PMI_RANK",
      "SLURM_JOB_ID",
      "SLURM_PROCID",
      "SLURM_STEP_ID",
      "SLURM_STEP_NUM_TASKS",
    ]);
  });

  it.each([
    ["nobody", {}],
    ["a batch script", { SLURM_JOB_ID: "7", SLURM_PROCID: "0" }],
    ["a batch script that has a step's number", { SLURM_JOB_ID: "7", SLURM_STEP_ID: "4294967291" }],
    ["salloc's shell", { SLURM_JOB_ID: "7", SLURM_STEP_ID: "4294967290" }],
  ])("sees no ranks where %s started us", (_, env) => {
    expect(detect(env)).toBeUndefined();
  });

  it.each([
    ["PALS_RANKID", "PALS"],
    ["FLUX_TASK_RANK", "Flux"],
    ["PMIX_RANK", "a PMIx launcher"],
    ["PMI_RANK", "mpiexec"],
    ["OMPI_COMM_WORLD_RANK", "mpiexec of Open MPI"],
  ])("knows other launchers by %s", (name, launcher) => {
    expect(detect({ [name]: "0" })?.launcher).toBe(launcher);
  });

  it("does not take a number for a socket that is none, nor standard input", () => {
    for (const PMI_FD of ["12", "0", "x", "99999999"])
      expect(
        detectLaunch(
          { ...rank, PMI_FD },
          (n) => n === 11 || n === 0,
          () => [],
        )?.descriptor,
      ).toBeUndefined();
  });
});

describe("chosenLaunch", () => {
  const many = detect(rank);
  const single = detect({ ...rank, SLURM_STEP_NUM_TASKS: "1" });

  it("passes nothing on for a rank that is alone, unless that is asked for", () => {
    expect(chosenLaunch("auto", many)).toBe(many);
    expect(chosenLaunch("host", many)).toBe(many);
    expect(chosenLaunch("none", many)).toBeUndefined();
    expect(single?.alone).toBe(true);
    expect(chosenLaunch("auto", single)).toBeUndefined();
    expect(chosenLaunch("launcher", single)).toBe(single);
  });

  it("wants a launcher where one is asked for", () => {
    expect(() => chosenLaunch("launcher", undefined)).toThrow(/no MPI launcher/);
  });
});

describe("containerProcess", () => {
  const config = {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [] },
    config: { Env: ["PMI_RANK=9", "A=1"] },
  } as const;

  it("sets the launcher's variables over the image's, and those asked for over these", async () => {
    const container = await containerProcess(
      config,
      { command: ["x"], env: { SLURM_PROCID: "mine" } },
      detect(rank),
    );
    expect(Object.fromEntries(container.env)).toMatchObject({ PMI_RANK: "2", A: "1", SLURM_PROCID: "mine" });
    expect(container.env.has("SECRET")).toBe(false);
    expect(container.env.has("PMI_FD")).toBe(false);
    expect(container.launch).toEqual({ descriptor: 11, devices: [] });
    expect(container.binds).toEqual([{ source: "/tmp", target: "/tmp", readOnly: false }]);
  });

  it("leaves a launcher's directory out when something else is bound there or it is not there", async () => {
    const launch = detect({ ...rank, PMIX_SYSTEM_TMPDIR: "/not/there" });
    const binds = [{ source: "/usr", target: "/tmp", readOnly: true }];
    const container = await containerProcess(config, { command: ["x"], binds }, launch);
    expect(container.binds).toEqual(binds);
  });

  it("runs the command without the entrypoint where that is asked for", async () => {
    const image = { ...config, config: { Entrypoint: ["/bin/bash", "-c", "$*", "--"], Cmd: ["/bin/bash"] } };
    const direct = await containerProcess(image, { command: ["ring", "a b"], entrypoint: "none" }, undefined);
    expect(direct.argv).toEqual(["ring", "a b"]);
    await expect(
      containerProcess(image, { command: [], entrypoint: "none" }, undefined),
    ).rejects.toMatchObject({ code: "USAGE" });
  });
});
