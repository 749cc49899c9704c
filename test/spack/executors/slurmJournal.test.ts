import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openJournal, orphanedJobs } from "../../../src/spack/executors/slurmJournal.ts";
import type { DagHash } from "../../../src/spec/concrete.ts";

const job = (id: string) => ({
  id,
  name: `zlib-${id}`,
  hash: "a".repeat(32) as DagHash,
  work: "sha256:1",
  log: "/l",
  report: "/r",
});
let logs: string;
beforeEach(() => {
  logs = mkdtempSync(join(tmpdir(), "spacktainers-journal-"));
});
afterEach(() => rmSync(logs, { recursive: true, force: true }));
const run = (name: string): string => {
  mkdirSync(join(logs, name), { recursive: true });
  return join(logs, name);
};
const path = (name: string): string => join(logs, name, "slurm-jobs.jsonl");
/** Rewrites whose a journal is. */
const changeHead = (name: string, change: object): void => {
  const [head = "", ...rest] = readFileSync(path(name), "utf8").split("\n");
  writeFileSync(path(name), [JSON.stringify({ ...JSON.parse(head), ...change }), ...rest].join("\n"));
};

describe("journals of jobs", () => {
  it("belong to whoever is alive: nobody takes over their jobs", async () => {
    const journal = await openJournal(run("one"));
    await journal.add(job("7"));
    expect(await orphanedJobs(logs)).toEqual([]);
    changeHead("one", { pid: 2 ** 30 });
    expect(await orphanedJobs(logs)).toEqual([{ ...job("7"), journal: path("one") }]);
  });

  it("tell a process from another one that got its number", async () => {
    const journal = await openJournal(run("one"));
    await journal.add(job("7"));
    changeHead("one", { start: "1" });
    expect(await orphanedJobs(logs)).toHaveLength(1);
  });

  it("of another machine are over when nobody has touched them for long", async () => {
    const journal = await openJournal(run("one"));
    await journal.add(job("7"));
    changeHead("one", { host: "elsewhere" });
    expect(await orphanedJobs(logs)).toEqual([]);
    utimesSync(path("one"), 1_000_000, 1_000_000);
    expect(await orphanedJobs(logs)).toHaveLength(1);
    await journal.touch();
    expect(await orphanedJobs(logs)).toEqual([]);
  });

  it("are read as far as they are right", async () => {
    const journal = await openJournal(run("one"));
    await journal.add(job("7"));
    await journal.add({ ...job("8"), id: "8; rm -rf" });
    writeFileSync(path("one"), `${readFileSync(path("one"), "utf8")}{"id": "9", "ha`);
    changeHead("one", { pid: 2 ** 30 });
    writeFileSync(join(run("two"), "slurm-jobs.jsonl"), "no JSON\n");
    run("three");
    expect((await orphanedJobs(logs)).map(({ id }) => id)).toEqual(["7"]);
    expect(await orphanedJobs(join(logs, "nowhere"))).toEqual([]);
  });
});
