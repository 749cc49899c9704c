import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";

/** Signals that are passed on to the program. */
const forwarded = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGCONT",
  "SIGWINCH",
] as const;
/** Signals a terminal sends to the whole foreground process group by itself. */
const fromTerminal: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT", "SIGWINCH", "SIGCONT"]);

/** How to run a program in our place. */
export interface Supervision {
  readonly argv: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Pipes beyond standard input, output and error, which are ours. */
  readonly extraPipes?: number;
  /** A file descriptor of this process that the program gets too, under the given number; above those of the pipes. */
  readonly descriptor?: { readonly own: number; readonly number: number } | undefined;
  /** Called once the program is started. */
  readonly started?: (child: ChildProcess) => void;
  /** Sends a signal to where it belongs; default: to the program. */
  readonly deliver?: (signal: NodeJS.Signals, child: ChildProcess) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a program with our standard input, output and error, passing signals on, until it ends.
 *
 * @returns its exit status, 128 + n when signal n ended it
 * @throws the error of the system when it cannot be started
 */
export async function superviseProcess(task: Supervision): Promise<number> {
  const [program, ...args] = task.argv;
  const pipes = Array.from({ length: task.extraPipes ?? 0 }, () => "pipe" as const);
  const { descriptor } = task;
  const unused = Array.from(
    { length: descriptor === undefined ? 0 : descriptor.number - 3 - pipes.length },
    () => "ignore" as const,
  );
  const passed = descriptor === undefined ? [] : [...unused, descriptor.own];
  const child = spawn(program, args, {
    stdio: ["inherit", "inherit", "inherit", ...pipes, ...passed],
    env: task.env,
    cwd: task.cwd,
  });
  const deliver = task.deliver ?? ((signal) => void child.kill(signal));
  let signalled = false;
  const handlers = forwarded.map((name) => {
    const handler = (): void => {
      signalled = true;
      // What the terminal sent us it has sent to the program as well; twice would mean something else (mpiexec gives up).
      if (fromTerminal.has(name) && inForeground()) return;
      deliver(name, child);
    };
    process.on(name, handler);
    return { name, handler };
  });
  // Someone may abort because of a signal that we pass on anyway.
  const onAbort = (): void =>
    void setImmediate(() => {
      if (!signalled) deliver("SIGTERM", child);
    });
  task.signal?.addEventListener("abort", onAbort);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : (constants.signals[signal] ?? 0))),
      );
      task.started?.(child);
    });
  } finally {
    task.signal?.removeEventListener("abort", onAbort);
    for (const { name, handler } of handlers) process.removeListener(name, handler);
  }
}

/** True when our process group is the one the controlling terminal sends its signals to (proc(5), `/proc/[pid]/stat`). */
function inForeground(): boolean {
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [group, foreground] = [fields[2], fields[5]];
    return group !== undefined && group === foreground;
  } catch {
    return false;
  }
}
