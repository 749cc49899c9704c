import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { completeSlurm } from "../../../src/definitions/slurmConfiguration.ts";
import type { BuildTask } from "../../../src/spack/executors/executor.ts";
import { openSlurmExecutor } from "../../../src/spack/executors/slurmExecutor.ts";
import type { DagHash } from "../../../src/spec/concrete.ts";
import { ignoreEvents } from "../../../src/util/events.ts";
import { hostTag } from "../../../src/util/processes.ts";

let folder: string;
const path = process.env.PATH;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-slurm-executor-"));
  process.env.PATH = `${folder}:${path}`;
  program("sbatch", "cat >/dev/null; echo 12");
  program("scancel", `echo "$@" >>${folder}/cancelled`);
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true, force: true });
});

const program = (name: string, script: string): void => {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
};
const open = (isBuilt = false) =>
  openSlurmExecutor({
    python: "/usr/bin/python3",
    container: undefined,
    settings: completeSlurm({ poll: 0.1 }),
    logs: join(folder, "logs"),
    wanted: () => true,
    isBuilt: async () => isBuilt,
    holdsBack: true,
    emit: ignoreEvents,
  });
const task = (): BuildTask => ({
  hash: "a".repeat(32) as DagHash,
  work: "work",
  label: "zlib@1.3",
  steps: [{ name: "install", argv: ["true"] }],
  log: join(folder, "1.log"),
  env: {},
  cwd: folder,
  resources: { cores: 1, memory: undefined, seconds: undefined },
});

describe("jobs of Slurm", () => {
  it("are not cancelled when they report their end before Slurm has noticed it: dependents would never start", async () => {
    // The report appears between our look at it and the answer of the queue.
    const report = '{"step": "install"}\\n{"status": 0, "seconds": 1, "memory": 0, "stopped": false}\\n';
    program("squeue", `printf '${report}' >${folder}/1.report; echo '12|RUNNING|n1|zlib|None'`);
    const executor = await open();
    const handle = await executor.start(task(), []);
    expect(await executor.finished(handle)).toMatchObject({ outcome: "done", status: 0 });
    await executor.close();
    expect(existsSync(join(folder, "cancelled"))).toBe(false);
  });

  it("of a run that was killed are not submitted again when they ended after their package was looked for", async () => {
    const earlier = join(folder, "logs", "20260101T000000Z-1");
    mkdirSync(earlier, { recursive: true });
    const report = join(earlier, "zlib.report");
    writeFileSync(
      report,
      '{"step": "install"}\n{"status": 0, "seconds": 1, "memory": 0, "stopped": false}\n',
    );
    const { hash, work } = task();
    const job = { id: "7", name: "zlib@1.3-aaaaaaa", hash, work, log: join(earlier, "zlib.log"), report };
    const head = { host: hostTag, pid: 2 ** 22 + 1, start: "1" };
    writeFileSync(join(earlier, "slurm-jobs.jsonl"), `${JSON.stringify(head)}\n${JSON.stringify(job)}\n`);
    program("squeue", "echo '7|COMPLETED|n1|zlib@1.3-aaaaaaa|None'");
    program("sbatch", `echo "$@" >>${folder}/submitted; cat >/dev/null; echo 12`);

    const executor = await open(true);
    const handle = await executor.start(task(), []);
    expect(await executor.finished(handle)).toMatchObject({ outcome: "done" });
    // What comes after it does not wait for it: Slurm may have forgotten the job.
    const next = { ...task(), hash: "b".repeat(32) as DagHash, log: join(folder, "2.log") };
    await executor.start(next, [handle]);
    const submitted = readFileSync(join(folder, "submitted"), "utf8");
    expect(submitted.trim().split("\n")).toHaveLength(1);
    expect(submitted).not.toContain("afterok");
    writeFileSync(join(folder, "2.report"), readFileSync(report));
    await executor.close();

    // Somebody has removed the package since.
    const again = await open(false);
    const other = await again.start({ ...task(), log: join(folder, "3.log") }, []);
    expect(other.place).toBe("job 12");
    writeFileSync(join(folder, "3.report"), readFileSync(report));
    expect(await again.finished(other)).toMatchObject({ outcome: "done" });
    await again.close();
  });

  it("are cancelled when they wait for what will not come", async () => {
    program("squeue", "echo '12|PENDING||zlib|DependencyNeverSatisfied'");
    const executor = await open();
    const handle = await executor.start(task(), []);
    expect(await executor.finished(handle)).toMatchObject({ outcome: "not-started" });
    await executor.close();
    await expect.poll(() => existsSync(join(folder, "cancelled"))).toBe(true);
  });
});
