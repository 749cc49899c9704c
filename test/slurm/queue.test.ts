import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { accountedJobs, cancelJobs, coresOfNodes, parseQueue, queuedJobs } from "../../src/slurm/queue.ts";

let folder: string;
const path = process.env.PATH;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-queue-"));
  process.env.PATH = `${folder}:${path}`;
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true, force: true });
});
const program = (name: string, script: string): void => {
  writeFileSync(join(folder, name), `#!/bin/sh\necho "$@" >>${folder}/asked\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
};
const asked = (): readonly string[] => readFileSync(join(folder, "asked"), "utf8").trim().split("\n");

describe("Slurm's queue", () => {
  it("is asked about all jobs in one question", async () => {
    program("squeue", "echo '12|RUNNING|n1|zlib-abc|None'; echo '14|PENDING||hdf5|Dependency'");
    const found = await queuedJobs(["12", "13", "14"]);
    expect(asked()).toEqual(["-h -t all -j 12,13,14 -o %i|%T|%N|%j|%r"]);
    expect([...(found ?? [])]).toEqual([
      ["12", { state: "RUNNING", nodes: "n1", name: "zlib-abc", reason: "None" }],
      ["14", { state: "PENDING", nodes: "", name: "hdf5", reason: "Dependency" }],
    ]);
  });

  it("knows nothing of a job that it has forgotten, and does not answer when it is away", async () => {
    program("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
    expect(await queuedJobs(["12"])).toEqual(new Map());
    program("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1");
    expect(await queuedJobs(["12"])).toBeUndefined();
  });

  it("leaves out lines that are none", () => {
    expect([...parseQueue("JOBID|STATE|N|J|R\n\nx|y\n7|FAILED|n2|a|x|y\n").entries()]).toEqual([
      ["7", { state: "FAILED", nodes: "n2", name: "a", reason: "x|y" }],
    ]);
  });

  it("has an accounting that remembers, where there is one", async () => {
    program("sacct", "echo '12|CANCELLED by 1000|n1|a|None'; echo '13|OUT_OF_MEMORY|n2|b|None'");
    const found = await accountedJobs(["12", "13"]);
    expect(found.get("12")?.state).toBe("CANCELLED");
    expect(found.get("13")?.state).toBe("OUT_OF_MEMORY");
    program("sacct", "exit 1");
    expect(await accountedJobs(["12"])).toEqual(new Map());
    expect(await accountedJobs([])).toEqual(new Map());
  });

  it("ends many jobs in one request, and says why it cannot", async () => {
    program("scancel", "exit 0");
    expect(await cancelJobs(["1", "2"])).toBeUndefined();
    expect(await cancelJobs([])).toBeUndefined();
    expect(asked()).toEqual(["1 2"]);
    program("scancel", "echo 'scancel: error: Access denied' >&2; exit 1");
    expect(await cancelJobs(["1"])).toBe("scancel: error: Access denied");
  });

  it("says how many cores the smallest node has", async () => {
    program("sinfo", "echo 128; echo 36+");
    expect(await coresOfNodes("build")).toBe(36);
    expect(asked()).toEqual(["-h -o %c -p build"]);
    program("sinfo", "exit 1");
    expect(await coresOfNodes(undefined)).toBeUndefined();
  });
});
