/** `job --interactive`, typed at on a terminal. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { binary, makeWorkplace } from "../support/cli.ts";
import { startOnTerminal, type TerminalSession, terminalTrouble } from "../support/terminalSession.ts";

const trouble = terminalTrouble();
const work = makeWorkplace("spacktainers: 1\n");
afterAll(() => work.remove());

/** The questions, as far as they are shown at this site, in order. */
const questions = [
  "Account (project) to charge [none]: ",
  "Partition [normal]: ",
  "Quality of service [none]: ",
  "Feature that nodes must have [mc]: ",
  "Nodes [2]: ",
  "Tasks (ranks) on each node [none]: ",
  "Processors for each task [none]: ",
  "Time limit (hh:mm:ss) [00:10:00]: ",
  "Memory on each node (such as 64G) [none]: ",
];

describe.skipIf(trouble !== undefined)(
  `the form of job${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    beforeAll(() => {
      mkdirSync(work.path("sites"));
      writeFileSync(
        work.path("sites/jed.yaml"),
        'runtime: apptainer\nmpi: [pmi2]\nimage: "/images/{name}.sif"\npartition: normal\nconstraint: mc\nnodes: 2\ntime: "00:10:00"\n',
      );
      mkdirSync(work.path("no-slurm"));
      mkdirSync(work.path("slurm"));
      // Slurm that takes a script down and refuses it.
      writeFileSync(
        work.path("slurm/sbatch"),
        `#!/bin/sh\n/bin/cat > '${work.path("submitted")}'\necho "sbatch: error: closed today" >&2\nexit 1\n`,
      );
      chmodSync(work.path("slurm/sbatch"), 0o755);
    });
    let session: TerminalSession | undefined;
    afterEach(() => {
      session?.stop();
      rmSync(work.path("submitted"), { force: true });
      rmSync(work.path("x.sbatch"), { force: true });
    });

    function start(args: readonly string[], slurm = "no-slurm"): TerminalSession {
      session = startOnTerminal(
        [
          ...["/usr/bin/env", `PATH=${work.path(slurm)}`, process.execPath, binary],
          ...["job", "/images/x.sif", "--site", "jed", "--interactive", ...args],
        ],
        { cwd: work.directory, env: { ...process.env, XDG_CACHE_HOME: work.cacheHome, NO_COLOR: "1" } },
      );
      return session;
    }
    const files = (): readonly string[] => readdirSync(work.directory).sort();

    it("asks with the site's values, takes them for an empty line, and asks again for what is wrong", async () => {
      const { until, type, ended, shown } = start(["-o", "x.sbatch"]);
      const answers: Readonly<Record<string, string>> = { "Account (project) to charge [none]: ": "proj1" };
      for (const question of questions) {
        await until(question);
        if (question.startsWith("Nodes")) {
          for (const wrong of ["many", "0", "1.5"]) {
            type(`${wrong}\r`);
            await until(`--nodes: "${wrong}" must be a whole number of at least 1`);
            await until(question);
          }
          type("4\r");
        } else if (question.startsWith("Time")) {
          type("soon\r");
          await until('--time: "soon" must be a time limit');
          await until(question);
          // What is deleted is not part of the answer.
          type("01:00:00x\x7f\r");
        } else type(`${answers[question] ?? ""}\r`);
      }
      await until("Command in the container: ");
      type("\r");
      await until("Command in the container: ");
      type("ring 'a  b' 1\r");
      expect(await ended(), shown()).toBe(0);
      expect(shown()).not.toContain("Submit");
      const script = readFileSync(work.path("x.sbatch"), "utf8");
      for (const line of [
        "--account=proj1",
        "--partition=normal",
        "--constraint=mc",
        "--nodes=4",
        "--time=01:00:00",
      ])
        expect(script).toContain(`#SBATCH ${line}\n`);
      expect(script).not.toMatch(/--qos|--mem|--ntasks|--cpus/);
      expect(script).toContain("ring 'a  b' 1");
    });

    it("does not ask for what is given", async () => {
      const { until, type, ended, shown } = start([
        ...["-A", "p", "-p", "q", "--qos", "r", "--constraint", "s", "-N", "1", "--tasks-per-node", "2"],
        ...["--cpus-per-task", "3", "-t", "5", "-o", "x.sbatch", "--", "ring"],
      ]);
      await until("Memory on each node (such as 64G) [none]: ");
      type("4G\r");
      expect(await ended(), shown()).toBe(0);
      for (const question of ["Account", "Partition", "Nodes", "Command"])
        expect(shown()).not.toContain(question);
      expect(readFileSync(work.path("x.sbatch"), "utf8")).toContain("#SBATCH --mem=4G");
    });

    it.each([
      ["Ctrl-C", "\x03"],
      ["Ctrl-D", "\x04"],
    ])("%s leaves nothing: no script, no job, no half answer", async (_, key) => {
      const before = files();
      // Everything else is said: an answer taken for an empty line would submit it.
      const { until, type, ended, shown } = start(["-o", "x.sbatch", "--submit", "--", "ring"], "slurm");
      await until("Account (project) to charge [none]: ");
      type("proj1\r");
      await until("Partition [normal]: ");
      type(key);
      expect(await ended(), shown()).not.toBe(0);
      expect(shown()).toContain("error  INTERRUPTED  the form was not filled in completely");
      expect(shown()).not.toContain("Quality of service");
      expect(files()).toEqual(before);
    });

    it("offers to submit where there is sbatch, and only yes is yes", async () => {
      const answer = async (...lines: readonly string[]): Promise<TerminalSession> => {
        const running = start(["--", "ring"], "slurm");
        for (const question of questions) {
          await running.until(question);
          running.type("\r");
        }
        for (const line of lines) {
          await running.until("Submit it now, yes or no [no]: ");
          running.type(`${line}\r`);
        }
        return running;
      };
      const no = await answer("");
      expect(await no.ended(), no.shown()).toBe(0);
      expect(no.shown()).toContain("#SBATCH --nodes=2");
      expect(existsSync(work.path("submitted"))).toBe(false);
      const yes = await answer("perhaps", "yes");
      expect(await yes.ended()).toBe(1);
      expect(yes.shown()).toContain("the answer is yes or no");
      expect(yes.shown()).toContain("closed today");
      expect(readFileSync(work.path("submitted"), "utf8")).toContain("#SBATCH --nodes=2");
    });

    it("says before the first question that --submit cannot be done", async () => {
      const { ended, shown } = start(["--submit", "--", "ring"]);
      expect(await ended()).toBe(4);
      expect(shown()).toContain("RUNTIME_MISSING  there is no sbatch here");
      expect(shown()).not.toContain("Account");
    });

    it("needs a terminal", async () => {
      const { status, stderr } = await work.run(["job", "/images/x.sif", "--site", "jed", "-i"]);
      expect(status).toBe(2);
      expect(stderr).toContain("--interactive needs a terminal");
    });
  },
);
