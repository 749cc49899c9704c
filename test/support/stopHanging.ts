/**
 * Ends what hangs. A test that waits for a program cannot be ended by its time limit, because waiting is all its process does; one such
 * test would keep a whole run from ever finishing. The programs that a file of tests has started are therefore killed when the file takes
 * too long, which makes its tests fail and lets the run go on; the process of the file itself follows when that does not suffice.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Longer than any file of tests takes, on a machine that does other work as well. In minutes. */
const minutes = (process.env.SPACKTAINERS_TEST_SPACK ?? "") === "" ? 20 : 90;
const limit = Number(process.env.SPACKTAINERS_TEST_FILE_LIMIT ?? minutes * 60_000);
const interval = Math.min(15_000, limit / 4);

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Tells apart processes that had the same number one after the other. */
  readonly started: string;
  readonly command: string;
}

/** Vitest's global set-up, in the process that starts those of the files. @returns what ends the watch */
export default function setup(): (() => void) | undefined {
  if (!existsSync("/proc/self/stat")) return undefined;
  const seen = new Map<string, { readonly since: number; warned: boolean }>();
  const timer = setInterval(() => {
    const processes = allProcesses();
    const files = processes.filter(
      ({ parent, command }) => parent === process.pid && /vitest\/dist\/workers/.test(command),
    );
    for (const file of files) {
      const key = `${file.pid} ${file.started}`;
      const state = seen.get(key) ?? { since: performance.now(), warned: false };
      seen.set(key, state);
      if (performance.now() - state.since < limit) continue;
      const programs = descendants(file.pid, processes);
      for (const { pid, command } of programs) {
        process.stdout.write(`hangs, and is killed: process ${pid}: ${command.slice(0, 300)}\n`);
        kill(pid);
      }
      if (state.warned) {
        process.stdout.write(`hangs, and is killed: the tests of process ${file.pid}\n`);
        kill(file.pid);
      }
      state.warned = true;
    }
  }, interval);
  timer.unref();
  return () => clearInterval(timer);
}

function allProcesses(): readonly Process[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      // The program's name, in parentheses, may have anything in it.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return [{ pid: Number(name), parent: Number(fields[1]), started: fields[19] ?? "", command }];
    } catch {
      return [];
    }
  });
}

/** The innermost first. */
function descendants(pid: number, processes: readonly Process[]): readonly Process[] {
  return processes
    .filter(({ parent }) => parent === pid)
    .flatMap((child) => [...descendants(child.pid, processes), child]);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
