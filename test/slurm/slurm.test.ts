import { describe, expect, it } from "vitest";
import { jobExitStatus, parseJobState, parseMpiList } from "../../src/slurm/slurm.ts";

const shown =
  "JobId=12 JobName=a b=c UserId=root(0) JobState=FAILED Reason=NonZeroExitCode Dependency=(null) Requeue=1 ExitCode=7:0 StdErr=/w/my dir/slurm-12.out StdIn=/dev/null StdOut=/w/my dir/slurm-12.out Power= \n";

describe("parseJobState", () => {
  it("reads what scontrol shows", () => {
    expect(parseJobState(0, shown, "")).toEqual({
      state: "FAILED",
      reason: "NonZeroExitCode",
      exitCode: "7:0",
      output: "/w/my dir/slurm-12.out",
      forgotten: false,
    });
  });

  it("tells a job that is forgotten from a controller that does not answer", () => {
    const gone = "slurm_load_jobs error: Invalid job id specified";
    expect(parseJobState(1, "", gone)).toMatchObject({ state: "UNKNOWN", forgotten: true });
    expect(parseJobState(1, "", "Unable to contact slurm controller")).toMatchObject({ forgotten: false });
  });
});

describe("jobExitStatus", () => {
  it.each([
    ["COMPLETED", "0:0", 0],
    ["FAILED", "7:0", 7],
    ["CANCELLED", "0:15", 143],
    ["TIMEOUT", "0:0", 1],
    ["FAILED", "300:0", 1],
  ])("%s %s is %i", (state, exitCode, status) => {
    expect(jobExitStatus({ state, exitCode })).toBe(status);
  });
});

describe("parseMpiList", () => {
  it("reads the answers of several releases", () => {
    const now =
      "MPI plugin types are...\n\tpmix\n\tnone\n\tcray_shasta\n\tpmi2\nspecific pmix plugin versions available: pmix_v3,pmix_v4\n";
    expect(parseMpiList(now)).toEqual(["pmix", "none", "cray_shasta", "pmi2", "pmix_v3", "pmix_v4"]);
    const before = "srun: MPI types are...\nsrun: pmix_v3\nsrun: none\nsrun: pmi2\n";
    expect(parseMpiList(before)).toEqual(["pmix_v3", "none", "pmi2"]);
    expect(parseMpiList("srun: fatal: Could not establish a configuration source\n")).toEqual([]);
  });
});
