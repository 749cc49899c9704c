/** Jobs of the runtimes that no package brings, run with stand-ins that check arguments as the real programs do. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { batchScript } from "../../src/hpc/batchScript.ts";
import type { Job } from "../../src/hpc/job.ts";
import { enrootImage } from "../../src/hpc/runtimes/enrootImage.ts";
import { readCalls, type StandInCall, writeClusterStandIns } from "../support/clusterStandIns.ts";
import { plainJob } from "./job.ts";

const odd = ["prog", "a b", "c'd", '"', "$HOME", "`id`", "\\", "", "*", "--x=y z"];
let folder: string;
let submit: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-runtimes-"));
  submit = join(folder, "my dir");
  mkdirSync(submit);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the script of a job; returns what the last program was given. */
function lastCall(job: Partial<Job>, env: NodeJS.ProcessEnv = {}): StandInCall {
  const log = join(folder, "calls");
  writeClusterStandIns(join(folder, "bin"), log);
  const result = spawnSync("bash", ["--norc", "-c", batchScript({ ...plainJob, ...job })], {
    encoding: "utf8",
    timeout: 30_000,
    env: {
      PATH: `${join(folder, "bin")}:/usr/bin:/bin`,
      SLURM_SUBMIT_DIR: submit,
      SLURM_JOB_ID: "7",
      SCRATCH: "/scratch/x",
      ...env,
    },
  });
  expect(result.stderr).toBe("");
  expect(result.status).toBe(0);
  const call = readCalls(log).at(-1);
  if (call === undefined) throw new Error("nothing was started");
  return call;
}

const binds: Job["binds"] = [
  { source: "/d a", target: "/data", readOnly: true },
  { source: "$SCRATCH", target: "$SCRATCH", readOnly: false },
];
const reference = "ghcr.io/my-org/spack-hello:1.0";

describe("pyxis", () => {
  it("is given everything by options of srun, the registry before a number sign", () => {
    const call = lastCall({
      runtime: "pyxis",
      image: reference,
      binds,
      gpu: "nvidia",
      inherited: ["MINE"],
      command: odd,
    });
    expect(call.words).toEqual(odd);
    expect(call.options).toEqual([
      ["mpi", "pmi2"],
      ["container-image", "ghcr.io#my-org/spack-hello:1.0"],
      ["container-mounts", "/d a:/data:ro,/scratch/x:/scratch/x"],
      ["container-workdir", submit],
      ["no-container-remap-root", true],
      ["no-container-entrypoint", true],
      ["container-env", "HDF5_USE_FILE_LOCKING,MINE,NVIDIA_VISIBLE_DEVICES,NVIDIA_DRIVER_CAPABILITIES"],
    ]);
    expect(call.env).toMatchObject({ NVIDIA_VISIBLE_DEVICES: "all", HDF5_USE_FILE_LOCKING: "FALSE" });
  });

  it.each([
    ["$SCRATCH/my images/hello.sqsh", "/scratch/x/my images/hello.sqsh"],
    ["images/hello.sqsh", "./images/hello.sqsh"],
    ["docker://localhost:5000/a/b", "localhost:5000#a/b:latest"],
    [`ghcr.io/a/b@sha256:${"0".repeat(64)}`, `ghcr.io#a/b@sha256:${"0".repeat(64)}`],
    ["ubuntu:24.04", "library/ubuntu:24.04"],
  ])("runs %s", (image, given) => {
    expect(lastCall({ runtime: "pyxis", image }).options).toContainEqual(["container-image", given]);
  });

  it("allows plain HTTP where the registry has it", () => {
    expect(
      lastCall({ runtime: "pyxis", image: "localhost:5000/a", plainHttp: true }).env.ENROOT_ALLOW_HTTP,
    ).toBe("y");
  });

  it.each([
    [{ image: "/x.sif" }, "squashfs"],
    [{ image: reference, binds: [{ source: "/a,b", target: "/c", readOnly: false }] }, "comma"],
    [{ image: reference, gpu: "rocm" }, "NVIDIA"],
    [{ image: reference, hostMpi: true }, "host's MPI"],
  ] as const)("refuses %j", (more, message) => {
    expect(() => batchScript({ ...plainJob, runtime: "pyxis", ...more })).toThrow(message);
  });
});

it("names images for enroot", () => {
  expect(enrootImage("./a.sqsh")).toBe("./a.sqsh");
  expect(() => enrootImage("~/a.sqsh")).toThrow("squashfs");
});

describe("the Container Engine", () => {
  it("is given a file for the time of the job, in which it fills in variables itself", () => {
    const call = lastCall(
      {
        runtime: "container-engine",
        image: reference,
        binds,
        inherited: ["MINE"],
        environment: { A: 'b "c" \\ $HOME ${X}\t' },
        annotations: { "com.hooks.cxi.enabled": "true" },
        command: odd,
      },
      { MINE: "secret value" },
    );
    expect(call.words).toEqual(odd);
    expect(call.options).toEqual([
      ["mpi", "pmi2"],
      ["environment", join(submit, ".spacktainers-7.toml")],
    ]);
    expect(call.file).toBe(`image = "ghcr.io#my-org/spack-hello:1.0"
workdir = "\${SLURM_SUBMIT_DIR}"
entrypoint = false
mounts = [
  "/d a:/data:ro",
  "\${SCRATCH}:\${SCRATCH}",
]

[env]
A = "b \\"c\\" \\\\ $$HOME $\${X}\\t"
MINE = "\${SPACKTAINERS_MINE:-}"

[annotations]
com.hooks.cxi.enabled = "true"
`);
    expect(call.env.SPACKTAINERS_MINE).toBe("secret value");
    expect(readdirSync(submit)).toEqual([]);
  });

  it("shows NVIDIA's GPUs, and takes squashfs files", () => {
    const call = lastCall({ runtime: "container-engine", image: "$SCRATCH/x.sqsh", gpu: "nvidia" });
    expect(call.file).toContain('image = "${SCRATCH}/x.sqsh"\n');
    expect(call.file).toContain('NVIDIA_VISIBLE_DEVICES = "all"\n');
  });

  it("cannot speak plain HTTP", () => {
    expect(() =>
      batchScript({ ...plainJob, runtime: "container-engine", image: reference, plainHttp: true }),
    ).toThrow("without TLS");
  });
});

describe("podman-hpc", () => {
  it("is Podman for the container's own MPI", () => {
    const call = lastCall({ runtime: "podman-hpc", image: reference, binds, gpu: "nvidia", command: odd });
    expect([call.program, ...call.words]).toEqual(["podman-hpc", reference, ...odd]);
    expect(call.options).toEqual(
      expect.arrayContaining([
        ["", "run"],
        ["gpu", true],
        ["mount", "type=bind,source=/d a,target=/data,readonly"],
        ["env", "PMI*"],
        ["entrypoint", ""],
      ]),
    );
  });

  it("puts Cray's MPI in, with CUDA where GPUs are asked for", () => {
    const options = (more: Partial<Job>) =>
      lastCall({ runtime: "podman-hpc", image: reference, hostMpi: true, ...more }).options;
    expect(options({})).toContainEqual(["mpi", true]);
    const cuda = options({ gpu: "nvidia" });
    expect(cuda).toContainEqual(["cuda-mpi", true]);
    expect(cuda).not.toContainEqual(["mpi", true]);
  });
});

describe("Shifter", () => {
  const image = reference;
  it("is told image and volumes by the job, so that Slurm makes the container once a node", () => {
    const job = { runtime: "shifter", image, command: odd, hostMpi: true, gpu: "nvidia" } as const;
    const own = { source: "$SLURM_SUBMIT_DIR", target: "$SLURM_SUBMIT_DIR", readOnly: false };
    const fixed = [own, { source: "/data/x", target: "/input", readOnly: true }];
    expect(batchScript({ ...plainJob, ...job, binds: fixed })).toContain(
      "#SBATCH --image=docker:ghcr.io/my-org/spack-hello:1.0\n#SBATCH --volume=/data/x:/input:ro\n",
    );
    const call = lastCall({ ...job, binds: fixed });
    expect(call).toMatchObject({ program: "shifter", words: odd });
    expect(call.options).toEqual([
      ["module", "mpich,gpu"],
      ["workdir", submit],
      ["env", "HDF5_USE_FILE_LOCKING=FALSE"],
    ]);
  });

  it("is told them itself where a variable is in them, and uses the container's own MPI", () => {
    const job = { runtime: "shifter", image: `docker://${image}`, inherited: ["MINE"] } as const;
    const scratch = [{ source: "$SCRATCH/in", target: "/input", readOnly: false }];
    expect(batchScript({ ...plainJob, ...job, binds: scratch })).not.toContain("#SBATCH --image");
    expect(lastCall({ ...job, binds: scratch }, { MINE: "secret" }).options).toEqual([
      ["image", `docker:${image}`],
      ["volume", "/scratch/x/in:/input"],
      ["module", "none"],
      ["workdir", submit],
      ["env", "HDF5_USE_FILE_LOCKING=FALSE"],
    ]);
  });

  it("runs no files", () => {
    expect(() => batchScript({ ...plainJob, runtime: "shifter", image: "/x.sif" })).toThrow("by their names");
  });
});

describe("Charliecloud", () => {
  const image = "/images/hello.sqfs";
  const start = ["/bin/sh", "-c", '[ -e /ch/environment ] || . /etc/profile; exec "$@"', "sh"];
  it("takes the image's variables from where it keeps them", () => {
    const call = lastCall({
      runtime: "charliecloud",
      image,
      binds: [{ source: "/d a", target: "/data", readOnly: false }],
      shareNamespaces: true,
      command: odd,
    });
    expect(call.words).toEqual([image, "--", ...start, ...odd]);
    expect(call.options).toEqual([
      ["set-env", true],
      ["write-fake", true],
      ["join", true],
      ["bind", "/d a:/data"],
      ["set-env", "HDF5_USE_FILE_LOCKING=FALSE"],
      ["env-no-expand", true],
      ["cd", submit],
    ]);
  });

  it("takes them from what login shells read where Charliecloud did not make the image", () => {
    mkdirSync(join(folder, "root"));
    const call = lastCall({ runtime: "charliecloud", image: join(folder, "root"), binds: [], command: odd });
    expect(call.options).not.toContainEqual(["set-env", true]);
    expect(call.words).toEqual([join(folder, "root"), "--", ...start, ...odd]);
  });

  it.each([
    [{ gpu: "nvidia" }, "drivers"],
    [{ binds: [{ source: "/a", target: "/a", readOnly: true }] }, "written to"],
    [{ binds: [{ source: "/a:b", target: "/a", readOnly: false }] }, "colon"],
  ] as const)("refuses %j", (more, message) => {
    expect(() => batchScript({ ...plainJob, runtime: "charliecloud", image, ...more })).toThrow(message);
  });
});

describe("Slurm's own containers", () => {
  it("are bundles", () => {
    const call = lastCall({ runtime: "slurm", image: "$SCRATCH/bundle", command: odd });
    expect(call.options).toEqual([
      ["mpi", "pmi2"],
      ["container", "/scratch/x/bundle"],
    ]);
    expect(call.words).toEqual(odd);
  });

  it.each([
    [{ image: reference }, "bundle"],
    [{ image: "/x.sif" }, "bundle"],
    [{ image: "/b", gpu: "nvidia" }, "devices"],
    [{ image: "/b", binds }, "binds"],
  ] as const)("refuse %j", (more, message) => {
    expect(() => batchScript({ ...plainJob, runtime: "slurm", ...more })).toThrow(message);
  });
});
