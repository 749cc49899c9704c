/** What holds for every executor, whatever runs the work. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { BuildTask, Executor } from "../../src/spack/executors/executor.ts";
import type { DagHash } from "../../src/spec/concrete.ts";
import { processIsAlive } from "../../src/util/processes.ts";

/** Where an executor is to be tried. */
export interface ExecutorTrial {
  /** A new executor. */
  open(): Promise<Executor>;
  /** A folder that its tasks can see, under the same path; default a temporary one. */
  readonly folder?: string;
  /** Whether the numbers that its processes see are this machine's, so that tests can look for them by number. */
  readonly local: boolean;
  /** Whether it sees what a task takes. Default true. */
  readonly measured?: boolean;
  /**
   * A program that opens the executor and starts the task that is its argument as JSON, for a test that kills it. Left out: what it
   * started goes on then.
   */
  readonly elsewhere?: string;
  /** What the engine itself adds to a log. */
  readonly adds?: RegExp;
  /** Milliseconds that a test may take. */
  readonly patience?: number;
}

/** Defines the tests of one executor. */
export function executorConformance(name: string, trial: ExecutorTrial): void {
  describe(`${name}: an executor`, { timeout: trial.patience ?? 60_000 }, () => {
    let folder: string;
    let executor: Executor;
    beforeAll(() => {
      if (trial.folder !== undefined) mkdirSync(trial.folder, { recursive: true });
      folder = mkdtempSync(join(trial.folder ?? tmpdir(), "spacktainers-executor-"));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    beforeEach(async () => {
      executor = await trial.open();
    });
    afterEach(() => executor.close());

    let count = 0;
    const task = (script: string, ...more: readonly string[]): BuildTask => {
      count++;
      return {
        hash: String(count).padStart(32, "a") as DagHash,
        work: `task ${count}`,
        label: `task${count}@1.0`,
        steps: [script, ...more].map((text, index) => ({ name: `step${index}`, argv: ["sh", "-c", text] })),
        log: join(folder, `${count}.log`),
        env: { PATH: "/usr/bin:/bin", WORD: "from outside" },
        cwd: folder,
        resources: { cores: 1, memory: undefined, seconds: undefined },
      };
    };
    const run = async (...args: Parameters<Executor["start"]>) => {
      const handle = await executor.start(...args);
      return executor.finished(handle);
    };
    const log = (one: BuildTask): string =>
      existsSync(one.log) ? readFileSync(one.log, "utf8").replaceAll(trial.adds ?? /$^/g, "") : "";

    it("runs commands one after the other, in their folder and environment, with their words in the log", async () => {
      const one = task('echo "$WORD"; pwd', "echo second >&2");
      const end = await run(one, []);
      expect(end).toMatchObject({ outcome: "done", status: 0, step: "step1" });
      expect(end.seconds).toBeGreaterThanOrEqual(0);
      expect(log(one)).toBe(`from outside\n${folder}\nsecond\n`);
    });

    it("says which command failed, and runs no further ones", async () => {
      const one = task("true", "echo broken; exit 7", "echo never");
      expect(await run(one, [])).toMatchObject({ outcome: "failed", status: 7, step: "step1" });
      expect(log(one)).toBe("broken\n");
    });

    it("begins a task when all that it comes after is done", async () => {
      const slow = await executor.start(task("sleep 1; echo slow >>order"), []);
      const quick = await executor.start(task("echo quick >>order"), []);
      const last = await executor.start(task("echo last >>order"), [slow, quick]);
      const ends = await Promise.all([slow, quick, last].map((handle) => executor.finished(handle)));
      expect(ends).toMatchObject(Array(3).fill({ outcome: "done" }));
      expect(readFileSync(join(folder, "order"), "utf8")).toMatch(/last\n$/);
      expect(readFileSync(join(folder, "order"), "utf8")).toContain("slow");
    });

    it("never begins a task when something that it comes after failed, nor what comes after that", async () => {
      const failing = await executor.start(task("exit 1"), []);
      const dependent = task("echo never");
      const second = await executor.start(dependent, [failing]);
      const third = task("echo never");
      expect(await executor.finished(await executor.start(third, [second]))).toMatchObject({
        outcome: "not-started",
      });
      expect(await executor.finished(second)).toMatchObject({ outcome: "not-started" });
      expect(log(dependent) + log(third)).toBe("");
    });

    it("stops a task with all of its processes", async () => {
      const one = task(
        "setsid sh -c 'trap \"\" TERM; echo pid $$; while :; do sleep 1; done' & wait",
        "echo never",
      );
      const handle = await executor.start(one, []);
      await expect.poll(() => log(one), { timeout: 60_000 }).toMatch(/pid \d+\n/);
      const pid = Number(/pid (\d+)/.exec(log(one))?.[1]);
      if (trial.local) expect(processIsAlive(pid)).toBe(true);
      await executor.stop(handle);
      expect(await executor.finished(handle)).toMatchObject({ outcome: "stopped" });
      if (trial.local) expect(processIsAlive(pid)).toBe(false);
      expect(log(one)).not.toContain("never");
      // What has ended stays as it is.
      await executor.stop(handle);
    });

    it("stops a task that has not begun", async () => {
      const first = await executor.start(task("sleep 600"), []);
      const waiting = task("echo never");
      const second = await executor.start(waiting, [first]);
      await executor.stop(first);
      expect(["stopped", "not-started"]).toContain((await executor.finished(second)).outcome);
      expect(log(waiting)).toBe("");
    });

    it("says when a task begins, or that it never does", async () => {
      const failing = await executor.start(task("sleep 1; exit 1"), []);
      const dependent = await executor.start(task("echo never"), [failing]);
      expect(await executor.begun(failing)).toBe(true);
      expect(await executor.begun(dependent)).toBe(false);
    });

    it("runs many at once, each with its own end", async () => {
      const handles = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          executor.start(task(`echo number ${index}; exit ${index % 3}`), []),
        ),
      );
      const ends = await Promise.all(handles.map((handle) => executor.finished(handle)));
      expect(ends.map(({ status }) => status)).toEqual(handles.map((_, index) => index % 3));
      for (const [index, handle] of handles.entries()) expect(log(handle.task)).toBe(`number ${index}\n`);
    });

    it("says what a task took", async () => {
      // A shell with some memory, for longer than it takes to be seen.
      const end = await run(task("x=$(head -c 20000000 /dev/zero | tr '\\0' a); sleep 2.5; : $x"), []);
      expect(end.outcome).toBe("done");
      expect(end.seconds).toBeGreaterThan(2);
      expect(end.seconds).toBeLessThan(60);
      if (trial.measured ?? true) expect(end.memory).toBeGreaterThan(15_000_000);
      else expect(end.memory).toBeUndefined();
    });

    it("keeps what is secret off command lines", async () => {
      const one = {
        ...task("sleep 3"),
        env: { PATH: "/usr/bin:/bin", HTTPS_PROXY: "http://u:canary-4711@proxy" },
      };
      const handle = await executor.start(one, []);
      await executor.begun(handle);
      await new Promise((resolve) => setTimeout(resolve, 500));
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        const line = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
        expect(line).not.toContain("canary-4711");
      }
      expect((await executor.finished(handle)).outcome).toBe("done");
    });

    it("leaves no process behind when it is killed", async ({ skip }) => {
      if (trial.elsewhere === undefined) return skip();
      const mark = join(folder, "alive");
      const one = task(`echo here; while :; do echo tick >>${mark}; sleep 0.2; done`);
      const child = spawn(
        process.execPath,
        ["--input-type=module", "-e", trial.elsewhere, JSON.stringify(one)],
        { stdio: ["ignore", "inherit", "inherit"] },
      );
      const size = (): number => (existsSync(mark) ? statSync(mark).size : 0);
      await expect.poll(size, { timeout: 60_000 }).toBeGreaterThan(0);
      child.kill("SIGKILL");
      // It grows no more.
      await expect
        .poll(
          async () => {
            const before = size();
            await new Promise((resolve) => setTimeout(resolve, 1000));
            return size() - before;
          },
          { timeout: 60_000, interval: 100 },
        )
        .toBe(0);
    });

    it("stops everything when it is closed, and takes nothing more", async () => {
      const one = task("echo pid $$; exec sleep 600");
      const handle = await executor.start(one, []);
      await expect.poll(() => log(one), { timeout: 60_000 }).toMatch(/pid \d+\n/);
      await executor.close();
      expect((await executor.finished(handle)).outcome).toBe("stopped");
      if (trial.local) expect(processIsAlive(Number(/pid (\d+)/.exec(log(one))?.[1]))).toBe(false);
      await expect(executor.start(task("true"), [])).rejects.toThrow();
    });
  });
}
