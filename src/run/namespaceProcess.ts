/** A process in namespaces of its own, with the users of an image: what it writes belongs to whom it should. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SpacktainersError } from "../util/errors.ts";
import { hostPath } from "../util/hostPath.ts";
import { type IdMap, writeIdMap } from "./idMap.ts";

/** What to run in namespaces. */
export interface NamespaceTask {
  readonly map: IdMap;
  /** A network of its own: none. */
  readonly withoutNetwork: boolean;
  /** A script for the machine's shell, run as root of the namespace; file descriptor 3 ends when we do, 4 takes a report. */
  readonly script: string;
  readonly arguments: readonly string[];
  readonly cwd: string;
  readonly input: AsyncIterable<Uint8Array> | undefined;
  /** Given on file descriptor 5. */
  readonly environment: string;
  /** Takes what it says; undefined: standard output is read by the caller from {@link StartedTask.output}. */
  readonly onOutput: ((chunk: Buffer) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A task that runs. */
export interface StartedTask {
  /** Its standard output, if nothing else receives it. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Waits for its end. */
  finished(): Promise<TaskOutcome>;
}

/** How a task ended. */
export interface TaskOutcome {
  readonly status: number;
  /** What it reported, without the first line. */
  readonly report: string;
  /** What it said on standard error, where nobody took it. */
  readonly errors: string;
}

const mostReport = 65_536;

/**
 * The namespace has no users before we say which, and a program that is nobody loses root's rights: so it waits, and starts again once
 * it is root.
 */
const waiting = `
echo here >&4
read -r go <&3 || exit 125
exec sh -c "$@"
`;

/**
 * Runs a short script to its end; its output is thrown away.
 *
 * @param map who is who in it
 * @param words arguments of the script
 * @throws SpacktainersError as {@link startInNamespace}
 */
export async function runNamespaceScript(
  map: IdMap,
  script: string,
  words: readonly string[] = [],
): Promise<TaskOutcome> {
  const task = await startInNamespace({
    map,
    withoutNetwork: false,
    script,
    arguments: words,
    cwd: "/",
    input: undefined,
    environment: "",
    onOutput: undefined,
    signal: undefined,
  });
  for await (const _ of task.output);
  return task.finished();
}

/**
 * Starts a task.
 *
 * @throws SpacktainersError RUNTIME_MISSING when the machine does not let us make namespaces with these users
 */
export async function startInNamespace(task: NamespaceTask): Promise<StartedTask> {
  // Then it is root from the start: where nobody may gain rights, it could not become root later.
  const mapsItself = task.map.kind === "single";
  const child = spawn(
    "unshare",
    [
      "-U",
      "-m",
      ...(mapsItself ? ["-r"] : []),
      ...(task.withoutNetwork ? ["-n"] : []),
      "sh",
      "-c",
      waiting,
      "sh",
      task.script,
      "sh",
      ...task.arguments,
    ],
    {
      cwd: task.cwd,
      // Not ours: what the machine's programs do must not depend on it.
      env: { PATH: hostPath(), LC_ALL: "C", LIBMOUNT_FORCE_MOUNT2: "always" },
      stdio: [task.input === undefined ? "ignore" : "pipe", "pipe", "pipe", "pipe", "pipe", "pipe"],
      detached: true,
    },
  );
  const ended = new Promise<number>((resolve) => {
    child.once("error", () => resolve(-1));
    child.once("close", (code) => resolve(code ?? -1));
  });
  const [, stdout, stderr, lifeline, reports, environment] = child.stdio as unknown as [
    Writable | null,
    Readable,
    Readable,
    Writable,
    Readable,
    Writable,
  ];
  let errors = "";
  stderr.on("data", (chunk: Buffer) => {
    if (task.onOutput !== undefined) task.onOutput(chunk);
    else errors = (errors + chunk.toString("utf8")).slice(-mostReport);
  });
  if (task.onOutput !== undefined) stdout.on("data", task.onOutput);
  for (const pipe of [lifeline, environment]) pipe.on("error", () => {});
  environment.end(task.environment);
  const report = { text: "" };
  const here = new Promise<void>((resolve) => {
    reports.setEncoding("utf8").on("data", (text: string) => {
      report.text = (report.text + text).slice(0, mostReport);
      if (report.text.includes("\n")) resolve();
    });
    void ended.then(() => resolve());
  });
  const stop = (): void => {
    lifeline.end();
    killGroup(child);
  };
  if (task.signal?.aborted === true) stop();
  task.signal?.addEventListener("abort", stop, { once: true });
  try {
    await here;
    const trouble =
      child.pid === undefined || !report.text.startsWith("here\n")
        ? errors.trim() || "unshare failed"
        : mapsItself
          ? undefined
          : await writeIdMap(child.pid, task.map);
    if (trouble !== undefined) {
      stop();
      await ended;
      if (task.signal?.aborted === true) throw interrupted();
      throw new SpacktainersError(
        "RUNTIME_MISSING",
        `this user cannot make the namespaces that are needed (${trouble})`,
        {
          hint: "ask the administrator to allow user namespaces, or install Podman",
        },
      );
    }
  } catch (error) {
    task.signal?.removeEventListener("abort", stop);
    throw error;
  }
  lifeline.write("go\n");
  const fed =
    task.input === undefined || child.stdin === null
      ? Promise.resolve(undefined)
      : pipeline(task.input, child.stdin).then(
          () => undefined,
          (error: unknown) => error,
        );
  return {
    output: stdout,
    async finished() {
      const status = await ended;
      task.signal?.removeEventListener("abort", stop);
      lifeline.end();
      const failure = await fed;
      if (task.signal?.aborted === true) throw interrupted();
      // If the source of its input throws, the program only sees an end. A program that ended by itself says why.
      if (failure instanceof SpacktainersError) throw failure;
      return { status, report: report.text.slice("here\n".length), errors };
    },
  };
}

function interrupted(): SpacktainersError {
  return new SpacktainersError("INTERRUPTED", "interrupted while running a command");
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
