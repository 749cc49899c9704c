import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { installTask } from "../../src/spack/installTask.ts";
import type { Spack } from "../../src/spack/spack.ts";
import { graphOf, hashOf } from "../spec/graph.ts";
import { commandExists } from "../support/commandExists.ts";

const root = mkdtempSync(join(tmpdir(), "spacktainers-install-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A Spack of which only the parts are there that are used: it notes its commands, and the process that each is run in. */
const parts = `import os, sys
note = os.path.join(os.path.dirname(__file__), "note")
def run(words):
    with open(note, "a") as f:
        f.write("%s %d\\n" % (words[0], os.getpid()))
    return 1 if os.path.exists(note + "-" + words[0]) else 0
def main(argv):
    return run(argv[argv.index("-e") + 2 :])
class Parser:
    def add_command(self, name):
        return run
    def parse_known_args(self, words):
        return words, []
def make_argument_parser():
    return Parser()
def _invoke_command(command, parser, known, unknown):
    return command(known)
`;
const file = `import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "lib", "spack"))
import importlib.util
path = os.path.join(sys.path[0], "spack", "whole.py")
spec = importlib.util.spec_from_file_location("whole", path)
whole = importlib.util.module_from_spec(spec)
spec.loader.exec_module(whole)
sys.exit(whole.main(sys.argv[1:]))
`;

let checkout: string;
let logs: string;
beforeEach(() => {
  checkout = mkdtempSync(join(root, "spack-"));
  logs = join(checkout, "logs");
  for (const folder of ["bin", "lib/spack/spack", "logs"])
    mkdirSync(join(checkout, folder), { recursive: true });
  writeFileSync(join(checkout, "bin/spack"), file);
  writeFileSync(join(checkout, "lib/spack/spack/__init__.py"), "");
  for (const name of ["main.py", "whole.py"]) writeFileSync(join(checkout, "lib/spack/spack", name), parts);
});

function task(until?: string, again = false) {
  const spec = graphOf([{ name: "app" }]).get(hashOf("app"));
  if (spec === undefined) throw new Error("no app");
  const spack = {
    checkout: { folder: checkout },
    python: { executable: "python3" },
    solver: { folder: checkout },
    folders: { user: checkout, built: join(checkout, "built"), temporary: checkout },
    container: undefined,
  } as unknown as Spack;
  const resources = { cores: 2, memory: undefined, seconds: undefined };
  return installTask(spack, { spec, environment: "/environment", logs, resources, until, again });
}

/** Runs the steps as a supervisor does. @returns the statuses of those that ran, and the commands with numbers of their processes */
function run({ steps }: ReturnType<typeof task>) {
  const statuses: (number | null)[] = [];
  for (const { argv } of steps) {
    const [program, ...args] = argv;
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd: logs,
      encoding: "utf8",
      timeout: 60_000,
    });
    statuses.push(status);
    if (status !== 0) {
      expect(stderr + stdout).not.toContain("Traceback");
      break;
    }
  }
  const note = readFileSync(join(checkout, "lib/spack/spack/note"), "utf8").trim().split("\n");
  const commands = note.map((line) => line.split(" "));
  const processes = [...new Set(commands.map(([, pid]) => pid))];
  return { statuses, commands: commands.map(([name, pid]) => `${name} ${processes.indexOf(pid)}`) };
}
/** Makes a command fail. */
const spoil = (name: string): void => writeFileSync(join(checkout, "lib/spack/spack", `note-${name}`), "");

const trouble = commandExists("python3") ? undefined : "python3 is not installed";

describe.skipIf(trouble !== undefined)(
  `installTask${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    it("installs and pushes in one process", () => {
      expect(run(task())).toEqual({ statuses: [0, 0], commands: ["install 0", "buildcache 0"] });
      expect(existsSync(join(logs, `${hashOf("app")}.pushed`))).toBe(false);
    });

    it("does not push what was not installed", () => {
      spoil("install");
      expect(run(task())).toEqual({ statuses: [1], commands: ["install 0"] });
    });

    it("pushes once more, as a step of its own, when pushing failed: the build is not lost", () => {
      spoil("buildcache");
      expect(run(task())).toEqual({
        statuses: [0, 1],
        commands: ["install 0", "buildcache 0", "buildcache 1"],
      });
    });

    it("starts Spack twice where its parts are others", () => {
      writeFileSync(join(checkout, "lib/spack/spack/main.py"), "def main(): pass\n");
      expect(run(task())).toEqual({ statuses: [0, 0], commands: ["install 0", "buildcache 1"] });
    });

    it("overwrites what is to be built again, and is another work then", () => {
      const words = (one: ReturnType<typeof task>) =>
        one.steps[0]?.argv.filter((word) => word.startsWith("--"));
      expect(words(task())).not.toContain("--overwrite");
      expect(words(task(undefined, true))).toEqual(expect.arrayContaining(["--overwrite", "--yes-to-all"]));
      expect([task(), task(undefined, true), task("build", true)].map(({ work }) => work)).toEqual([
        "install and push",
        "install again and push",
        "install again until build",
      ]);
    });

    it("pushes nothing that was built in part", () => {
      expect(run(task("configure"))).toEqual({ statuses: [0], commands: ["install 0"] });
    });
  },
);
