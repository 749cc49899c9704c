import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { batchScript } from "../../src/hpc/batchScript.ts";
import type { Job } from "../../src/hpc/job.ts";
import { plainJob } from "./job.ts";

/** Runs a script with stand-ins for `srun` and the runtimes; returns the words that the last one got, variables filled in. */
function wordsOf(
  script: string,
  standIn: string,
  more: { readonly uid?: number; readonly env?: NodeJS.ProcessEnv } = {},
): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "spacktainers-script-"));
  try {
    writeFileSync(
      join(folder, "srun"),
      '#!/bin/sh\nwhile case $1 in --*) true ;; *) false ;; esac; do shift; done\nexec "$@"\n',
    );
    writeFileSync(join(folder, standIn), "#!/bin/sh\nfor a; do printf '%s\\0' \"$a\"; done\n");
    writeFileSync(join(folder, "id"), `#!/bin/sh\necho ${more.uid ?? 0}\n`);
    for (const name of ["srun", "id", standIn]) chmodSync(join(folder, name), 0o755);
    const env = {
      PATH: `${folder}:/usr/bin:/bin`,
      SLURM_SUBMIT_DIR: "/work/my dir",
      SCRATCH: "/scratch/x",
      ...more.env,
    };
    // Without -l: a profile may change the search path.
    return execFileSync("bash", ["--norc", "-c", script], { encoding: "utf8", env }).split("\0").slice(0, -1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Some machines have no message queues, and then Podman cannot share the machine's. */
const sharedMemory = existsSync("/dev/mqueue") ? "--ipc=host" : "--volume=/dev/shm:/dev/shm";

const odd = ["prog", "a b", "c'd", '"', "$HOME", "`id`", "\\", "", "*", "g\nh", "--x=y z"];

describe("batchScript", () => {
  it("runs a program, not an option", () => {
    expect(() => batchScript({ ...plainJob, command: ["--version"] })).toThrow("not the name of a program");
    expect(() => batchScript({ ...plainJob, command: [] })).toThrow("no command");
  });

  it("asks Slurm for what was asked for, and nothing else", () => {
    const head = (job: Partial<Job>) =>
      batchScript({ ...plainJob, ...job })
        .split("\n")
        .filter((line) => line.startsWith("#SBATCH"));
    expect(head({})).toEqual([
      "#SBATCH --job-name=hello",
      "#SBATCH --nodes=2",
      "#SBATCH --ntasks-per-node=4",
    ]);
    expect(
      head({
        name: 'a "b" \\ # c',
        log: "out dir/%j.txt",
        resources: {
          account: "p1",
          partition: "normal",
          qos: "q",
          constraint: "mc&gpu",
          cpusPerTask: 3,
          memory: "64G",
          time: "1-00:00:00",
          exclusive: true,
        },
      }),
    ).toEqual([
      '#SBATCH --job-name="a \\"b\\" \\\\ # c"',
      "#SBATCH --account=p1",
      "#SBATCH --partition=normal",
      "#SBATCH --qos=q",
      "#SBATCH --constraint=mc&gpu",
      "#SBATCH --cpus-per-task=3",
      "#SBATCH --mem=64G",
      "#SBATCH --time=1-00:00:00",
      '#SBATCH --output="out dir/%j.txt"',
      "#SBATCH --exclusive",
    ]);
    expect(() => head({ name: "a\n#SBATCH --nodes=99" })).toThrow(/one line/);
  });

  it("takes processors for a task over into the step, and needs no plug-in where there is no MPI", () => {
    const script = batchScript({
      ...plainJob,
      resources: { cpusPerTask: 8 },
      pmi: { plugin: undefined, because: "" },
    });
    expect(script).toContain("\nsrun --cpus-per-task=8 \\\n");
  });

  it("has no command, so no script", () => {
    expect(() => batchScript({ ...plainJob, command: [] })).toThrow(/no command/);
  });

  it("writes modules, prologue and variables before the program, modules before -u", () => {
    const script = batchScript({
      ...plainJob,
      modules: ["sarus", "x/1.2"],
      prologue: ["ulimit -s unlimited"],
      environment: { A: "it's", PYTHONPATH: "/x" },
      inherited: ["R_LIBS"],
    });
    const lines = script.split("\n");
    expect(lines.indexOf("module load sarus x/1.2")).toBeLessThan(lines.indexOf("ulimit -s unlimited"));
    expect(lines.indexOf("ulimit -s unlimited")).toBeLessThan(lines.indexOf("set -eu"));
    expect(lines).toContain("export A='it'\\''s'");
    expect(lines).toContain("unset PYTHONHOME PERL5LIB");
  });

  it.each([
    ["apptainer", "apptainer"],
    ["singularity", "singularity"],
    ["sarus", "sarus"],
    ["native", "spacktainers"],
    ["podman", "podman"],
  ] as const)("hands %s the exact words of the command", (runtime, standIn) => {
    const script = batchScript({ ...plainJob, runtime, command: odd });
    const words = wordsOf(script, standIn);
    expect(words.slice(-odd.length)).toEqual(odd);
    expect(words.join(" ")).toContain("/work/my dir");
    if (runtime === "native")
      expect(words.slice(-odd.length - 2, -odd.length)).toEqual(["/images/hello.sif", "--"]);
    else expect(words.at(-odd.length - 1)).toBe("/images/hello.sif");
  });

  it("tells runtimes that pull of a registry that speaks plain HTTP", () => {
    const image = "docker://localhost:5000/hello:1";
    const options = (runtime: Job["runtime"], standIn: string) =>
      wordsOf(batchScript({ ...plainJob, runtime, image, plainHttp: true }), standIn, {
        env: { SLURM_JOB_ID: "7" },
      });
    expect(options("apptainer", "apptainer")).toContain("--no-https");
    expect(options("singularity", "singularity")).toContain("--no-https");
    expect(options("podman", "podman")).toContain("--tls-verify=false");
    expect(wordsOf(batchScript(plainJob), "apptainer")).not.toContain("--no-https");
  });

  it.each(["apptainer", "singularity"] as const)(
    "makes one file for all ranks of %s of an image in a registry",
    (runtime) => {
      const image = "docker://ghcr.io/my-org/hello:1";
      const script = batchScript({ ...plainJob, runtime, image, command: odd });
      const words = wordsOf(script, runtime, { env: { SLURM_JOB_ID: "7" } });
      const file = "/work/my dir/.spacktainers-7.sif";
      expect(words.slice(0, 5)).toEqual(["pull", "--force", file, image, "exec"]);
      expect(words.slice(-odd.length - 1)).toEqual([file, ...odd]);
      expect(script.indexOf(" pull ")).toBeLessThan(script.indexOf("\nsrun "));
      expect(script).toContain(`trap 'rm -f "$image"' EXIT`);
    },
  );

  it("writes what each runtime calls the same things", () => {
    const job: Job = {
      ...plainJob,
      binds: [
        { source: "/d a", target: "/data", readOnly: true },
        { source: "$SCRATCH/x", target: "/s", readOnly: false },
      ],
      workdir: "/data",
      environment: { A: "1" },
      gpu: "nvidia",
    };
    expect(wordsOf(batchScript({ ...job, runtime: "apptainer" }), "apptainer")).toEqual([
      "exec",
      "--nv",
      "--bind=/d a:/data:ro",
      "--bind=/scratch/x/x:/s",
      "--pwd=/data",
      "/images/hello.sif",
      "ring",
    ]);
    expect(wordsOf(batchScript({ ...job, runtime: "sarus", hostMpi: true }), "sarus")).toEqual([
      "run",
      "--mpi",
      "--mount=type=bind,source=/d a,destination=/data,readonly",
      "--mount=type=bind,source=/scratch/x/x,destination=/s",
      "--env=A",
      "--workdir=/data",
      "--entrypoint",
      "",
      "/images/hello.sif",
      "ring",
    ]);
    expect(wordsOf(batchScript({ ...job, runtime: "native", gpu: undefined }), "spacktainers")).toEqual([
      ...["exec", "--quiet", "--with", "namespace"],
      ...["--bind", "/d a:/data:ro", "--bind", "/scratch/x/x:/s", "--env", "A", "--workdir", "/data"],
      ...["/images/hello.sif", "--", "ring"],
    ]);
    expect(wordsOf(batchScript({ ...job, runtime: "podman" }), "podman")).toEqual([
      ...["run", sharedMemory, "--rm", "--network=host", "--pid=host", "--device=nvidia.com/gpu=all"],
      "--mount=type=bind,source=/d a,target=/data,readonly",
      "--mount=type=bind,source=/scratch/x/x,target=/s",
      "--security-opt=label=disable",
      ...["--env=PMI*", "--env=SLURM*", "--env=PALS*", "--env=A", "--workdir=/data", "--entrypoint="],
      ...["/images/hello.sif", "ring"],
    ]);
  });

  it("lets ranks of Apptainer share a namespace where the site says so", () => {
    const job = { ...plainJob, shareNamespaces: true };
    expect(wordsOf(batchScript({ ...job, runtime: "apptainer" }), "apptainer")).toContain("--sharens");
    expect(wordsOf(batchScript({ ...job, runtime: "singularity" }), "singularity")).not.toContain(
      "--sharens",
    );
    expect(wordsOf(batchScript(plainJob), "apptainer")).not.toContain("--sharens");
  });

  it("keeps the number of whoever is not root, with Podman", () => {
    const script = batchScript({ ...plainJob, runtime: "podman" });
    expect(wordsOf(script, "podman", { uid: 1000 }).slice(0, 3)).toEqual(
      sharedMemory === "--ipc=host"
        ? ["run", "--ipc=host", "--userns=keep-id"]
        : ["run", "--userns=keep-id", sharedMemory],
    );
    expect(wordsOf(script, "podman", { uid: 0 })).not.toContain("--userns=keep-id");
  });

  it.each([
    ["apptainer", "--bind=/tmp/"],
    ["singularity", "--bind=/tmp/"],
    ["sarus", "--mount=type=bind,source=/tmp/,destination=/tmp/"],
    ["podman", "--volume=/tmp/:/tmp/"],
  ] as const)("shows ranks the directory of PMIx, with %s", (runtime, option) => {
    const pmi = { plugin: "pmix_v4", because: "" };
    const script = batchScript({ ...plainJob, runtime, pmi, command: odd });
    // As Slurm writes it, and only ranks have it.
    const words = wordsOf(script, runtime, { env: { PMIX_SERVER_TMPDIR: "/tmp/" } });
    expect(words).toContain(option);
    expect(words.slice(-odd.length)).toEqual(odd);
    expect(wordsOf(script, runtime)).not.toContain(option);
    const pmi2 = batchScript({ ...plainJob, runtime, command: odd });
    expect(wordsOf(pmi2, runtime, { env: { PMIX_SERVER_TMPDIR: "/tmp/" } })).not.toContain(option);
  });

  it.each([
    ["docker", {}, /Docker/],
    ["apptainer", { hostMpi: true }, /host's MPI/],
    ["native", { gpu: "rocm" }, /graphics/],
    ["apptainer", { binds: [{ source: "/a:b", target: "/c", readOnly: false }] }, /colon/],
    ["sarus", { binds: [{ source: "/a,b", target: "/c", readOnly: false }] }, /comma/],
    ["podman", { binds: [{ source: "/a,b", target: "/c", readOnly: false }] }, /comma/],
  ] as const)("refuses what %s cannot do", (runtime, more, message) => {
    expect(() => batchScript({ ...plainJob, runtime, ...more })).toThrow(message);
  });
});
