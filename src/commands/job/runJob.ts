import { cancelJob, followJob, type JobState, jobExitStatus, submitJob } from "../../slurm/slurm.ts";
import type { EmitEvent } from "../../util/events.ts";

/** A script to be run as a job. */
export interface JobRun {
  readonly script: string;
  /** Where the job starts. */
  readonly directory: string;
  /** End the job when we are interrupted; otherwise it continues. */
  readonly cancelOnInterrupt: boolean;
  readonly output: (bytes: Uint8Array) => void;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** How it went. */
export interface JobOutcome {
  readonly id: string;
  readonly state: string;
  /** Exit status of the job; 130 if this program was interrupted. */
  readonly status: number;
  readonly log: string | undefined;
}

/**
 * Submits a job and follows it until it ends.
 *
 * @throws {SpacktainersError} `RUNTIME_MISSING`, `PROCESS_FAILED` when Slurm refuses it
 */
export async function runJob(run: JobRun): Promise<JobOutcome> {
  const id = await submitJob(run.script, run.directory);
  const tell = (state: string, reason?: string): void => run.emit({ type: "job", job: id, state, reason });
  tell("SUBMITTED");
  let seen: JobState | undefined;
  const last = await followJob(id, {
    told: (state) => {
      seen = state;
      tell(state.state, state.reason === "" || state.reason === "None" ? undefined : state.reason);
    },
    output: run.output,
    signal: run.signal,
  });
  if (last !== undefined) return { id, state: last.state, status: jobExitStatus(last), log: last.output };
  if (run.cancelOnInterrupt) {
    const failed = await cancelJob(id);
    if (failed === undefined) tell("CANCELLED");
    else
      run.emit({ type: "warning", code: "NOTICE", message: `job ${id} could not be cancelled: ${failed}` });
  } else {
    const message = `job ${id} continues without spacktainers`;
    const hint = `its output: ${seen?.output ?? "not known yet"}; to cancel it: scancel ${id}`;
    run.emit({ type: "warning", code: "NOTICE", message, hint });
  }
  return { id, state: seen?.state ?? "UNKNOWN", status: 130, log: seen?.output };
}
