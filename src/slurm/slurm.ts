/** Slurm's commands: handing a job over, following it, ending it. */
import { open } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { findProgram, runTool } from "../util/tool.ts";

/** Milliseconds from one look at a job to the next; what is asked often makes a controller slow for everybody. */
export interface FollowPace {
  readonly first: number;
  readonly most: number;
}

const usualPace: FollowPace = { first: 1000, most: 10_000 };

/** What is known of a job. */
export interface JobState {
  /** Slurm's word, such as `PENDING`, `RUNNING`, `COMPLETED`. */
  readonly state: string;
  readonly reason: string;
  readonly exitCode: string;
  /** The file that has its output. */
  readonly output: string | undefined;
  /** The controller knows nothing of it any more. */
  readonly forgotten: boolean;
}

/** States from which a job does not come back. Source: squeue(1), "JOB STATE CODES". */
export const finalStates: ReadonlySet<string> = new Set([
  "BOOT_FAIL",
  "CANCELLED",
  "COMPLETED",
  "DEADLINE",
  "FAILED",
  "NODE_FAIL",
  "OUT_OF_MEMORY",
  "PREEMPTED",
  "REVOKED",
  "TIMEOUT",
]);

/** Whether jobs can be submitted from here: by whoever's own search path has `sbatch`, which {@link submitJob} goes by. */
export async function canSubmit(): Promise<boolean> {
  return (await findProgram("sbatch", hostEnvironment().PATH ?? "")) !== undefined;
}

/**
 * Hands a batch script to Slurm.
 *
 * @param directory where the job is to start
 * @param options of sbatch; they go before what the script says itself
 * @param env of sbatch
 * @returns the job's number
 * @throws SpacktainersError RUNTIME_MISSING (no sbatch here), PROCESS_FAILED (refused; Slurm's words)
 */
export async function submitJob(
  script: string,
  directory: string,
  options: readonly string[] = [],
  env: NodeJS.ProcessEnv = hostEnvironment(),
): Promise<string> {
  async function* text(): AsyncGenerator<Uint8Array, void, void> {
    yield Buffer.from(script);
  }
  const result = await runTool(["sbatch", "--parsable", ...options], { cwd: directory, env, input: text() });
  if (result.status === -1)
    throw new SpacktainersError("RUNTIME_MISSING", "there is no sbatch here", {
      hint: "submit from a login node of the cluster, or write the script with -o",
    });
  const id = /^(\d+)(?:;.*)?$/m.exec(result.stdout.trim())?.[1];
  if (result.status !== 0 || id === undefined)
    throw new SpacktainersError(
      "PROCESS_FAILED",
      `sbatch refuses the job: ${result.stderr.trim().split("\n").slice(-3).join("; ") || `status ${result.status}`}`,
    );
  return id;
}

/** Asks the controller about a job. */
export async function jobState(id: string): Promise<JobState> {
  const result = await runTool(["scontrol", "show", "job", id, "-o"], { timeout: 60_000 });
  return parseJobState(result.status, result.stdout, result.stderr);
}

/** Reads what `scontrol show job ID -o` answered. */
export function parseJobState(status: number, stdout: string, stderr: string): JobState {
  const field = (name: string): string | undefined =>
    new RegExp(`(?:^| )${name}=(.*?)(?= \\w+=| *$)`, "m").exec(stdout)?.[1];
  return {
    state: field("JobState") ?? "UNKNOWN",
    reason: field("Reason") ?? "",
    exitCode: field("ExitCode") ?? "0:0",
    output: field("StdOut"),
    forgotten: status !== 0 && /Invalid job id/i.test(stderr),
  };
}

/** The exit status of a job by its state and Slurm's `status:signal`, as a shell has it. */
export function jobExitStatus({ state, exitCode }: Pick<JobState, "state" | "exitCode">): number {
  const [status = 0, signal = 0] = exitCode.split(":").map(Number);
  if (signal > 0) return 128 + signal;
  if (status > 0) return status > 255 ? 1 : status;
  return state === "COMPLETED" ? 0 : 1;
}

/** Told while a job is followed. */
export interface FollowContext {
  /** A new state, for people. */
  readonly told: (state: JobState) => void;
  /** More of the job's output. */
  readonly output: (bytes: Uint8Array) => void;
  readonly signal?: AbortSignal | undefined;
  readonly pace?: FollowPace;
}

/**
 * Follows a job until it ends, passing on what it writes.
 *
 * @returns the job's last state; undefined when `signal` stopped us before: the job goes on
 */
export async function followJob(id: string, context: FollowContext): Promise<JobState | undefined> {
  const pace = context.pace ?? usualPace;
  let offset = 0;
  let told = "";
  let delay = pace.first;
  let silent = 0;
  let last: JobState | undefined;
  for (;;) {
    if (context.signal?.aborted === true) return undefined;
    const state = await jobState(id);
    if (state.state !== "UNKNOWN") {
      silent = 0;
      last = state;
    } else if (state.forgotten || ++silent > 30) return { ...(last ?? state), ...(await accounted(id)) };
    if (last?.output !== undefined) {
      const read = await readOn(last.output, offset, context.output);
      if (read > 0) delay = pace.first;
      offset += read;
    }
    const what = `${last?.state ?? ""} ${last?.reason ?? ""}`;
    if (last !== undefined && what !== told) {
      told = what;
      context.told(last);
    }
    if (last !== undefined && finalStates.has(last.state)) {
      // File systems of clusters show the last lines a little later.
      if (last.output !== undefined) {
        await wait(Math.min(pace.first, 500));
        await readOn(last.output, offset, context.output);
      }
      return last;
    }
    await wait(delay, undefined, context.signal === undefined ? {} : { signal: context.signal }).catch(
      () => {},
    );
    delay = Math.min(pace.most, delay * 1.3);
  }
}

/** What the accounting knows of a job that the controller has forgotten. */
async function accounted(id: string): Promise<Partial<JobState>> {
  const result = await runTool(["sacct", "-X", "-n", "-P", "-j", id, "-o", "State,ExitCode"], {
    timeout: 60_000,
  });
  const [state, exitCode] = result.stdout.trim().split("\n")[0]?.split("|") ?? [];
  if (result.status !== 0 || state === undefined || state === "" || exitCode === undefined)
    return { state: "FORGOTTEN", exitCode: "1:0" };
  return { state: state.split(" ")[0] ?? state, exitCode };
}

/** Passes on what has been added to a file. @returns bytes read */
async function readOn(path: string, offset: number, output: (bytes: Uint8Array) => void): Promise<number> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return 0;
  let read = 0;
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(65_536), 0, 65_536, offset + read);
      if (bytesRead === 0) return read;
      read += bytesRead;
      output(buffer.subarray(0, bytesRead));
    }
  } catch {
    // A directory, or a file system that is away for the moment.
    return read;
  } finally {
    await file.close();
  }
}

/** Ends a job. @returns why that failed, or undefined */
export async function cancelJob(id: string): Promise<string | undefined> {
  const result = await runTool(["scancel", id], { timeout: 60_000 });
  return result.status === 0 ? undefined : result.stderr.trim();
}

/** Plug-ins in the answer to `srun --mpi=list`; old releases give them with a word in front. */
export function parseMpiList(text: string): readonly string[] {
  const plugins: string[] = [];
  for (const line of text.split("\n")) {
    const several = /^specific \w+ plugin versions available: (.*)$/.exec(line)?.[1];
    if (several !== undefined) plugins.push(...several.split(",").map((name) => name.trim()));
    else {
      const name = /^(?:srun: |\s+)([a-z][\w]*)$/.exec(line)?.[1];
      if (name !== undefined) plugins.push(name);
    }
  }
  return [...new Set(plugins.filter((name) => name !== ""))];
}
