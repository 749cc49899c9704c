/** How a job ended: from what its supervisor reports and what Slurm says. */
import type { QueuedJob } from "../../slurm/queue.ts";
import { isFinal } from "../../slurm/queue.ts";
import type { TaskEnd } from "./executor.ts";
import { notStarted, signalReason } from "./hostExecutor.ts";
import type { JobReport } from "./slurmReport.ts";

/** What is known of a job when Slurm was asked. */
export interface ObservedJob {
  readonly id: string;
  /** Undefined: Slurm knows nothing of it, nor does its accounting. */
  readonly queued: QueuedJob | undefined;
  readonly report: JobReport | undefined;
  /** It was to be ended, by us. */
  readonly stopping: boolean;
  /** Something that it comes after did not end well. */
  readonly orphaned: boolean;
  /** The last line that Slurm wrote about it. */
  readonly said: string;
  /** How often it was asked about in vain since it was over, or gone. */
  readonly patience: number;
}

/** Questions after which what a shared file system has not shown yet is not expected any more. */
const mostPatience = 3;

/** How a job ended by its own account; undefined where that says nothing, or Slurm has to be asked. */
export function reportedEnd(report: JobReport | undefined, stopping: boolean): TaskEnd | undefined {
  const end = report?.end;
  if (report === undefined || end === undefined || (end.stopped && !stopping)) return undefined;
  return {
    outcome: end.stopped ? "stopped" : end.status === 0 ? "done" : "failed",
    status: end.status,
    step: report.step,
    reason: end.stopped ? undefined : signalReason(end.status),
    seconds: end.seconds,
    memory: end.memory === 0 ? undefined : end.memory,
  };
}

/** How a job ended; undefined while it has not, as far as can be told. */
export function jobEnd(facts: ObservedJob): TaskEnd | undefined {
  const { id, queued, report, stopping, orphaned, said, patience } = facts;
  const reported = reportedEnd(report, stopping);
  if (reported !== undefined) return reported;
  const ended = (outcome: TaskEnd["outcome"], reason?: string): TaskEnd => ({
    outcome,
    status: report?.end?.status,
    step: report?.step,
    reason,
    seconds: report?.end?.seconds ?? 0,
    memory: report?.end?.memory || undefined,
  });
  const failed = (why: string): TaskEnd =>
    ended("failed", `job ${id} ${why}${said === "" ? "" : ` (${said})`}`);
  if (queued === undefined) {
    if (patience < mostPatience) return undefined;
    return stopping ? ended("stopped") : failed("is lost: Slurm no longer knows it");
  }
  const { state, reason, nodes } = queued;
  if (state === "PENDING") {
    if (/launch.failed.requeued.held/i.test(reason)) return failed("could not be started and is held");
    if (/^DependencyNeverSatisfied$/i.test(reason)) return notStarted;
    return undefined;
  }
  if (!isFinal(queued)) return undefined;
  if (stopping) return ended("stopped");
  switch (state) {
    case "COMPLETED":
      return patience < mostPatience ? undefined : ended("done");
    case "TIMEOUT":
    case "DEADLINE":
      return failed("reached its time limit: `spack: slurm: time:` sets a longer one");
    case "OUT_OF_MEMORY":
      return failed("ran out of memory: `spack: slurm: memory:` asks for more");
    case "CANCELLED":
      if (orphaned && report === undefined) return notStarted;
      return failed("was cancelled by someone");
    case "NODE_FAIL":
    case "BOOT_FAIL":
      return failed(`ended because its node ${nodes} failed`);
    case "PREEMPTED":
    case "REVOKED":
      return failed("had to make room for another job");
    default:
      return patience < mostPatience ? undefined : failed("could not be run");
  }
}
