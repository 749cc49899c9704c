import { cancelJob, followJob, type JobState, jobExitStatus, submitJob } from "../../hpc/slurm.ts";
import type { EmitEvent } from "../../util/events.ts";

/** A script to be run as a job. */
export interface JobRun {
  readonly script: string;
  /** Where the job starts. */
  readonly directory: string;
  /** End the job when we are interrupted; otherwise it goes on. */
  readonly cancelOnInterrupt: boolean;
  readonly output: (bytes: Uint8Array) => void;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** How it went. */
export interface JobOutcome {
  readonly id: string;
  readonly state: string;
  /** The job's; 130 when we were interrupted. */
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
  const tell = (stage: string): void => run.emit({ type: "stage", stage });
  tell(`Job ${id} is submitted`);
  let seen: JobState | undefined;
  const last = await followJob(id, {
    told: (state) => {
      seen = state;
      const why = state.reason === "" || state.reason === "None" ? "" : ` (${state.reason})`;
      tell(`Job ${id}: ${state.state.toLowerCase()}${why}`);
    },
    output: run.output,
    signal: run.signal,
  });
  if (last !== undefined) return { id, state: last.state, status: jobExitStatus(last), log: last.output };
  if (run.cancelOnInterrupt) {
    const failed = await cancelJob(id);
    tell(failed === undefined ? `Job ${id} is cancelled` : `Job ${id} could not be cancelled: ${failed}`);
  } else {
    const message = `job ${id} goes on without us`;
    const hint = `its output: ${seen?.output ?? "not known yet"}; to end it: scancel ${id}`;
    run.emit({ type: "warning", code: "NOTICE", message, hint });
  }
  return { id, state: seen?.state ?? "UNKNOWN", status: 130, log: seen?.output };
}
