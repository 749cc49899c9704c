/** Shims of every runtime, started with stand-ins that check arguments as the real programs do. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job } from "../../src/hpc/job.ts";
import { shimFiles, shimMark, shimOwner } from "../../src/hpc/shimFiles.ts";
import type { Shims } from "../../src/hpc/shims.ts";
import { readCalls, type StandInCall, writeClusterStandIns } from "../support/clusterStandIns.ts";
import { plainJob } from "./job.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-shims-"));
  mkdirSync(join(folder, "my dir"));
  writeFileSync(join(folder, "x.sqsh"), "");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const shims = (job: Partial<Job>, more: Partial<Shims> = {}): Shims => ({
  name: "hello",
  version: "1.0",
  description: "hello",
  job: { ...plainJob, command: [], binds: [], interactive: true, ...job },
  imageEnvironment: [],
  programs: ["ring", "["],
  folder: join(folder, "apps"),
  lmod: false,
  ...more,
});

/** Writes shims and starts one. */
function start(job: Partial<Job>, env: NodeJS.ProcessEnv = {}, cwd = join(folder, "my dir")) {
  for (const { path, text, mode } of shimFiles(shims(job))) {
    const file = join(folder, "apps", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
  }
  writeClusterStandIns(join(folder, "bin"), join(folder, "calls"));
  return spawnSync(join(folder, "apps/bin/ring"), ["a b", "", "$HOME", "--x=y z"], {
    encoding: "utf8",
    timeout: 30_000,
    cwd,
    env: { PATH: `${join(folder, "bin")}:/usr/bin:/bin`, HOME: "/home/me", ...env },
  });
}

function called(job: Partial<Job>, env: NodeJS.ProcessEnv = {}, cwd?: string): StandInCall {
  const result = start(job, env, cwd);
  expect(result.stderr).toBe("");
  expect(result.status).toBe(0);
  const call = readCalls(join(folder, "calls")).at(-1);
  if (call === undefined) throw new Error("nothing was started");
  return call;
}

const words = ["ring", "a b", "", "$HOME", "--x=y z"];

describe("a shim", () => {
  it("is enroot's for pyxis and the Container Engine", () => {
    for (const runtime of ["pyxis", "container-engine"] as const) {
      const image = join(folder, "x.sqsh");
      const binds = [{ source: "$SCRATCH", target: "/s", readOnly: true }];
      const inside = join(folder, "work");
      mkdirSync(inside, { recursive: true });
      const call = called({ runtime, image, binds }, { SCRATCH: "/scratch/x" }, inside);
      expect(call.words).toEqual([image, ...words]);
      expect(call.options).toEqual([
        ["", "start"],
        ["rc", join(folder, "apps/libexec/hello.rc")],
        ["mount", "/scratch/x:/s:none:x-create=auto,rbind,ro"],
        ["mount", `${inside}:${inside}:none:x-create=auto,rbind`],
        ["env", "SPACKTAINERS_WORKDIR"],
        ["env", "HDF5_USE_FILE_LOCKING"],
      ]);
    }
  });

  it("is Shifter's, where the site shows the working directory", () => {
    const call = called({ runtime: "shifter", image: "ghcr.io/o/x:1" });
    expect(call.words).toEqual(words);
    expect(call.options).toContainEqual(["image", "docker:ghcr.io/o/x:1"]);
    expect(call.options).toContainEqual(["workdir", join(folder, "my dir")]);
    expect(call.options.map(([name]) => name)).not.toContain("volume");
  });

  it("is Charliecloud's", () => {
    const call = called({ runtime: "charliecloud", image: join(folder, "x.sqsh") });
    expect(call.program).toBe("ch-run");
    expect(call.words.slice(-words.length)).toEqual(words);
    expect(call.options).toContainEqual(["bind", join(folder, "my dir")]);
  });

  it("binds nothing of the machine's system, from wherever it is started", () => {
    const call = called({ runtime: "charliecloud", image: join(folder, "x.sqsh") }, {}, "/usr");
    expect(call.options.map(([name]) => name)).not.toContain("bind");
    expect(call.options).toContainEqual(["cd", "/"]);
  });

  it("lets what the user has set override the site's", () => {
    const job = { runtime: "charliecloud", image: join(folder, "x.sqsh") } as const;
    expect(called(job, { HDF5_USE_FILE_LOCKING: "TRUE" }).env.HDF5_USE_FILE_LOCKING).toBe("TRUE");
    expect(called(job).env.HDF5_USE_FILE_LOCKING).toBe("FALSE");
  });

  it.each([
    [
      { runtime: "apptainer", image: "/nowhere/x.sif" },
      /^ring: apptainer, which runs the container hello, is not on the search path here\n$/,
    ],
    [
      { runtime: "charliecloud", image: "/nowhere/x.sqsh" },
      /^ring: the image of the container hello is not there: \/nowhere\/x\.sqsh\n$/,
    ],
    [
      { runtime: "charliecloud", image: "$SCRATCH/x.sqsh" },
      /^ring: the container hello needs the variable SCRATCH, which is not set here\n$/,
    ],
  ] as const)("says why it does not start: %j", (job, message) => {
    const result = start(job, { PATH: `${join(folder, "bin")}:/nowhere` });
    expect([result.status, result.stderr]).toEqual([127, expect.stringMatching(message)]);
  });

  it.each([
    [{ runtime: "slurm", image: "/b" }, "srun --container"],
    [{ runtime: "pyxis", image: "ghcr.io/o/x:1" }, "squashfs"],
    [{ runtime: "native", image: "/x.sif" }, "rootfs"],
    [{ runtime: "native", image: "/x", gpu: "nvidia" }, "graphics"],
  ] as const)("cannot be: %j", (job, message) => {
    const told = (): string => {
      try {
        shimFiles(shims(job));
        return "";
      } catch (error) {
        return error instanceof Error ? `${error.message} ${"hint" in error ? String(error.hint) : ""}` : "";
      }
    };
    expect(told()).toContain(message);
  });
});

describe("the files", () => {
  it("are known again as shims of their container", () => {
    for (const { text } of shimFiles(shims({ runtime: "pyxis", image: "/x.sqsh" }, { lmod: true })))
      expect(shimOwner(text)).toBe("hello");
    for (const text of ["", "#!/bin/sh\necho hello\n", `#!/bin/sh\n\n\n# ${shimMark("hello")}\n`])
      expect(shimOwner(text)).toBeUndefined();
  });

  it("come in an order in which each finds those it names", () => {
    const paths = shimFiles(shims({}, { lmod: true })).map(({ path }) => path);
    expect(paths).toEqual([
      ...["libexec/hello", "bin/ring", "bin/["],
      ...["modulefiles/hello/1.0", "modulefiles/hello/1.0.lua"],
    ]);
  });

  it("load the site's modules, and tell srun by what ranks meet", () => {
    const job = { modules: ["apptainer/1.3"], pmi: { plugin: "pmix", because: "" } };
    const files = shimFiles(shims(job, { lmod: true, description: 'say "$x" [exit]\\' }));
    const [tcl, lua] = files.slice(-2).map(({ text }) => text);
    expect(tcl).toContain('module load "apptainer/1.3"\n');
    expect(tcl).toContain('module-whatis "Description: say \\"\\$x\\" \\[exit\\]\\\\"\n');
    expect(tcl).toContain('setenv SLURM_MPI_TYPE "pmix"\n');
    expect(lua).toContain('load("apptainer/1.3")\n');
    expect(lua).toContain('whatis("Description: say \\"$x\\" [exit]\\\\")\n');
    expect(lua).toContain('setenv("SLURM_MPI_TYPE", "pmix")\n');
  });
});
