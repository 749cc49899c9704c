import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseReport } from "../../src/spack/executors/slurmReport.ts";
import { type SupervisedStep, superviseTask } from "../../src/spack/supervise.ts";
import { supervisorScript } from "../../src/spack/supervisorScript.ts";
import { processIsAlive } from "../../src/util/processes.ts";
import { findProgram } from "../../src/util/tool.ts";

const python = await findProgram("python3");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-supervise-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shell = (name: string, script: string): SupervisedStep => ({ name, argv: ["sh", "-c", script] });
const start = (log: string, steps: readonly SupervisedStep[], onStep?: (name: string) => void) =>
  superviseTask(python ?? "", {
    steps,
    log: join(folder, log),
    cwd: folder,
    env: { PATH: process.env.PATH, WORD: "of the environment" },
    ...(onStep === undefined ? {} : { onStep }),
  });
const log = (name: string) => readFileSync(join(folder, name), "utf8");
/** The process number that a step has written into its log. */
const writtenPid = async (name: string): Promise<number> => {
  for (;;) {
    try {
      const match = /pid (\d+)\n/.exec(log(name));
      if (match !== null) return Number(match[1]);
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

describe.skipIf(python === undefined)("superviseTask (needs python3)", () => {
  it("runs steps one after the other, with the environment, their words in the log", async () => {
    const begun: string[] = [];
    const task = await start(
      "steps",
      [shell("one", 'echo "$WORD"; echo err >&2'), shell("two", "echo 2")],
      (name) => begun.push(name),
    );
    expect(await task.result).toMatchObject({ status: 0, step: "two", stopped: false });
    expect(log("steps")).toBe("of the environment\nerr\n2\n");
    expect(begun).toEqual(["one", "two"]);
  });

  it("stops at the first step that fails", async () => {
    const failed = await start("failed", [shell("one", "exit 3"), shell("two", "echo never")]);
    expect(await failed.result).toMatchObject({ status: 3, step: "one" });
    expect(log("failed")).toBe("");
    const killed = await start("killed", [shell("one", "kill -9 $$")]);
    expect(await killed.result).toMatchObject({ status: 137, step: "one", stopped: false });
    const missing = await start("missing", [{ name: "one", argv: ["/no/such/program"] }]);
    expect(await missing.result).toMatchObject({ status: 127 });
    expect(log("missing")).toContain("No such file");
  });

  it("leaves nothing running when a step ends, whatever left its process group", async () => {
    const task = await start("left", [
      shell("one", "setsid sh -c 'echo pid $$; exec sleep 600' & sleep 0.3"),
    ]);
    expect((await task.result).status).toBe(0);
    expect(processIsAlive(await writtenPid("left"))).toBe(false);
  });

  it("ends everything when stopped, what does not want to as well", async () => {
    const task = await start("stopped", [
      shell(
        "one",
        "(trap '' TERM; setsid sh -c 'trap \"\" TERM; echo pid $$; while :; do sleep 1; done') & wait",
      ),
      shell("two", "echo never"),
    ]);
    const pid = await writtenPid("stopped");
    expect(processIsAlive(pid)).toBe(true);
    task.stop();
    expect(await task.result).toMatchObject({ status: 143, step: "one", stopped: true });
    expect(processIsAlive(pid)).toBe(false);
    expect(log("stopped")).not.toContain("never");
  });

  it("measures the memory of all processes together", async () => {
    const script = "import time; a = bytearray(60 << 20); time.sleep(2.5)";
    const task = await start("memory", [
      { name: "one", argv: ["sh", "-c", `python3 -c '${script}' & python3 -c '${script}'; wait`] },
    ]);
    const { memory } = await task.result;
    expect(memory).toBeGreaterThan(120 * 2 ** 20);
    expect(memory).toBeLessThan(300 * 2 ** 20);
  });

  it("says when there is no Python", async () => {
    await expect(
      superviseTask("/no/python3", { steps: [], log: join(folder, "none"), cwd: folder, env: {} }),
    ).rejects.toMatchObject({ code: "RUNTIME_MISSING" });
  });

  it("runs what cleans up behind a command when that is ended from outside, and only then", async () => {
    const mark = (name: string) => ["sh", "-c", `echo cleaned >>${join(folder, name)}`] as const;
    const quiet = await start("quiet", [{ ...shell("one", "true"), cleanup: mark("quiet.mark") }]);
    expect(await quiet.result).toMatchObject({ status: 0 });
    expect(existsSync(join(folder, "quiet.mark"))).toBe(false);
    const killed = await start("cleaned", [{ ...shell("one", "kill -9 $$"), cleanup: mark("killed.mark") }]);
    expect(await killed.result).toMatchObject({ status: 137 });
    expect(log("killed.mark")).toBe("cleaned\n");
    const stopped = await start("waits", [
      { ...shell("one", "echo pid $$; exec sleep 600"), cleanup: mark("stopped.mark") },
    ]);
    await writtenPid("waits");
    stopped.stop();
    expect(await stopped.result).toMatchObject({ stopped: true });
    expect(log("stopped.mark")).toBe("cleaned\n");
  });

  it("lets processes that tidy up behind a command end by themselves", async () => {
    const tidy = shell("one", "trap '' TERM; (sleep 0.7; echo tidied) & exit 0");
    const hurried = await start("hurried", [shell("one", "(sleep 0.7; echo tidied) & exit 0")]);
    await hurried.result;
    expect(log("hurried")).toBe("");
    const patient = await start("patient", [{ ...tidy, linger: 5 }]);
    expect(await patient.result).toMatchObject({ status: 0 });
    expect(log("patient")).toBe("tidied\n");
  });

  it("takes its task from a file and reports into one, where nobody waits for it", () => {
    const report = join(folder, "report");
    const task = {
      steps: [shell("one", 'echo "$ONLY$WORD"'), shell("two", "exit 4")],
      env: { PATH: process.env.PATH, ONLY: "of the file" },
      log: join(folder, "filed"),
      report,
      grace: 1,
    };
    writeFileSync(join(folder, "task"), JSON.stringify(task));
    writeFileSync(report, "of an earlier try\n");
    const ran = spawnSync(python ?? "", ["-I", "-S", "-c", supervisorScript, join(folder, "task")], {
      env: { ...process.env, WORD: "leaks" },
    });
    expect(ran.status).toBe(4);
    expect(log("filed")).toBe("of the file\n");
    expect(parseReport(readFileSync(report, "utf8"))).toMatchObject({
      step: "two",
      end: { status: 4, stopped: false },
    });
  });
});
