import { describe, expect, it } from "vitest";
import { jobEnd, type ObservedJob, reportedEnd } from "../../../src/spack/executors/slurmEnd.ts";
import { parseReport } from "../../../src/spack/executors/slurmReport.ts";

const facts = (state: string | undefined, more: Partial<ObservedJob> = {}): ObservedJob => ({
  id: "12",
  queued: state === undefined ? undefined : { state, reason: "None", nodes: "n1", name: "x" },
  report: undefined,
  stopping: false,
  orphaned: false,
  said: "",
  patience: 0,
  ...more,
});
const running = parseReport('{"step": "install"}\n');
const ended = (status: number, stopped = false) =>
  parseReport(
    `{"step": "install"}\n{"status": ${status}, "seconds": 2.5, "memory": 1000, "stopped": ${stopped}}\n`,
  );

describe("parseReport", () => {
  it("reads what the supervisor said so far, and leaves out a line that is not whole", () => {
    expect(parseReport("")).toEqual({ step: undefined, end: undefined });
    expect(parseReport('{"step": "install"}\n{"sta')).toEqual({ step: "install", end: undefined });
    expect(ended(3).end).toEqual({ status: 3, seconds: 2.5, memory: 1000, stopped: false });
    expect(parseReport("null\n7\n[]\n")).toEqual({ step: undefined, end: undefined });
  });
});

describe("how a job ended", () => {
  it("is what its supervisor says, before Slurm is asked", () => {
    expect(reportedEnd(ended(0), false)).toMatchObject({
      outcome: "done",
      status: 0,
      seconds: 2.5,
      memory: 1000,
    });
    expect(reportedEnd(ended(7), false)).toMatchObject({ outcome: "failed", status: 7, step: "install" });
    expect(reportedEnd(ended(137), false)?.reason).toMatch(/memory/);
    expect(reportedEnd(running, false)).toBeUndefined();
    expect(reportedEnd(undefined, true)).toBeUndefined();
  });

  it("is a matter of who ended it, when something outside did", () => {
    expect(reportedEnd(ended(143, true), true)).toMatchObject({ outcome: "stopped" });
    // A time limit, or somebody else: Slurm knows.
    expect(reportedEnd(ended(143, true), false)).toBeUndefined();
    expect(jobEnd(facts("TIMEOUT", { report: ended(143, true) }))).toMatchObject({
      outcome: "failed",
      reason: "job 12 reached its time limit: `spack: slurm: time:` sets a longer one",
      seconds: 2.5,
    });
    expect(jobEnd(facts("CANCELLED", { report: running }))?.reason).toBe("job 12 was cancelled by someone");
  });

  it.each([
    ["OUT_OF_MEMORY", /ran out of memory: `spack: slurm: memory:`/],
    ["NODE_FAIL", /because its node n1 failed/],
    ["BOOT_FAIL", /because its node n1 failed/],
    ["PREEMPTED", /make room/],
    ["DEADLINE", /time limit/],
  ])("names %s", (state, reason) => {
    expect(jobEnd(facts(state, { report: running }))).toMatchObject({
      outcome: "failed",
      reason: expect.stringMatching(reason),
    });
  });

  it("is not known while it waits, runs, or has been put back into the queue", () => {
    for (const state of ["PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "CONFIGURING"])
      expect(jobEnd(facts(state, { report: running, patience: 9 }))).toBeUndefined();
  });

  it("is a failure when it is held because it could not be started", () => {
    const queued = { state: "PENDING", reason: "launch failed requeued held", nodes: "", name: "x" };
    expect(jobEnd(facts("PENDING", { queued }))?.reason).toMatch(/held/);
  });

  it("is nothing when it never began because of another one", () => {
    expect(jobEnd(facts("CANCELLED", { orphaned: true }))).toMatchObject({ outcome: "not-started" });
    const queued = { state: "PENDING", reason: "DependencyNeverSatisfied", nodes: "", name: "x" };
    expect(jobEnd(facts("PENDING", { queued }))).toMatchObject({ outcome: "not-started" });
  });

  it("waits for what a shared file system does not show yet, and then gives up", () => {
    for (const state of [undefined, "COMPLETED", "FAILED"]) {
      expect(jobEnd(facts(state, { patience: 1 }))).toBeUndefined();
      expect(jobEnd(facts(state, { patience: 1, report: ended(0) }))).toMatchObject({ outcome: "done" });
    }
    expect(jobEnd(facts(undefined, { patience: 3 }))?.reason).toMatch(/job 12 is lost/);
    expect(jobEnd(facts("COMPLETED", { patience: 3 }))).toMatchObject({ outcome: "done" });
    expect(jobEnd(facts("FAILED", { patience: 3, said: "python3: not found" }))?.reason).toBe(
      "job 12 could not be run (python3: not found)",
    );
  });
});
