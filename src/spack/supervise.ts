/** Running commands such that none of their processes outlives us, however we end. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { SpacktainersError } from "../util/errors.ts";
import { supervisorScript } from "./supervisorScript.ts";

/** A command of a task. */
export interface SupervisedStep {
  /** What it does, for messages: `install`, `push`. */
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  /** Files and folders it reads besides its working directory: shown to it where not everything is. */
  readonly paths?: readonly string[] | undefined;
  /** Ends what the command started that is no child of its own (a container): run when the command is ended from outside. */
  readonly cleanup?: readonly [string, ...string[]] | undefined;
  /** Seconds that processes of the command may still need after it, to tidy up; default none. */
  readonly linger?: number | undefined;
}

/** What to run: steps one after the other, until one fails. */
export interface SupervisedTask {
  readonly steps: readonly SupervisedStep[];
  /** Absolute path of the file that what they say is appended to. */
  readonly log: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Called as each step begins. */
  readonly onStep?: (name: string) => void;
}

/** How it ended. */
export interface SupervisedResult {
  /** Exit status of the last step that ran; 128 + n when signal n ended it. */
  readonly status: number;
  /** The step that ran last. */
  readonly step: string | undefined;
  /** Stopped because of us, not by itself. */
  readonly stopped: boolean;
  readonly seconds: number;
  /** Most memory that its processes had together, sampled each second, in bytes; 0 when it was over before. */
  readonly memory: number;
}

/** A task that runs. */
export interface SupervisedProcess {
  /** Of the supervisor: it is over when this process is. */
  readonly pid: number;
  /** Never rejects. */
  readonly result: Promise<SupervisedResult>;
  /** Ends all of its processes; the result follows when none is left. */
  stop(): void;
}

/** Seconds between asking processes to end and killing them. */
const grace = 5;

/**
 * Starts a task in a session of its own. All of its processes, wherever they have moved to, are ended when it is stopped, when
 * its last step ends, and when this process ends or is killed.
 *
 * @param python absolute path of a Python 3
 * @throws SpacktainersError RUNTIME_MISSING when Python cannot be started
 */
export async function superviseTask(python: string, task: SupervisedTask): Promise<SupervisedProcess> {
  const words = {
    steps: task.steps,
    log: task.log,
    grace,
  };
  const child = spawn(python, ["-I", "-S", "-c", supervisorScript, JSON.stringify(words)], {
    cwd: task.cwd,
    env: task.env,
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const started = performance.now();
  const lifeLine = child.stdio[3];
  const reports = child.stdio[4] as Readable;
  lifeLine?.on("error", () => {});
  let step: string | undefined;
  let last: { status: number; seconds: number; memory: number; stopped: boolean } | undefined;
  const lines = createInterface({ input: reports });
  lines.on("line", (line) => {
    const report = JSON.parse(line) as { step?: string } & Partial<NonNullable<typeof last>>;
    if (report.step !== undefined) {
      step = report.step;
      task.onStep?.(report.step);
    } else {
      const { status = -1, seconds = 0, memory = 0, stopped = false } = report;
      last = { status, seconds, memory, stopped };
    }
  });
  const read = new Promise<void>((resolve) => lines.once("close", resolve));
  let stopping = false;
  const result = new Promise<SupervisedResult>((resolve) => {
    child.once("exit", (code) => {
      void read.then(() =>
        resolve({
          status: last?.status ?? code ?? 137,
          step,
          stopped: last?.stopped ?? stopping,
          seconds: last?.seconds ?? (performance.now() - started) / 1000,
          memory: last?.memory ?? 0,
        }),
      );
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) =>
      reject(
        new SpacktainersError("RUNTIME_MISSING", `${python} cannot be started`, {
          hint: "install python3",
          cause,
        }),
      ),
    );
  });
  return {
    pid: child.pid ?? -1,
    result,
    stop: () => {
      stopping = true;
      lifeLine?.destroy();
    },
  };
}
