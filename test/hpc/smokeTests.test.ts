import { describe, expect, it } from "vitest";
import type { TestsFile } from "../../src/definitions/testsSchema.ts";
import { judge, planTests } from "../../src/hpc/smokeTests.ts";
import { soundFacts } from "./imageProfileOf.ts";

const facts = {
  ...soundFacts,
  programs: [
    { path: "/opt/a/bin/x", package: "a", interpreter: "/lib64/ld-linux-x86-64.so.2" },
    { path: "/opt/a/bin/script", package: "a", interpreter: undefined },
  ],
};

describe("planTests", () => {
  it("has the usual ones: libraries of programs, ranks where there is MPI", () => {
    const plan = planTests(facts, undefined);
    expect(plan.map(({ name, ranks }) => [name, ranks])).toEqual([
      ["libraries of 1 programs are found", 0],
      ["mpiexec starts two ranks", 2],
    ]);
    expect(plan[0]?.command.slice(-2)).toEqual(["/lib64/ld-linux-x86-64.so.2", "/opt/a/bin/x"]);
    expect(planTests({ ...facts, mpi: [] }, undefined)).toHaveLength(1);
    expect(planTests({ ...facts, programs: [], mpiexec: undefined }, undefined)).toEqual([]);
  });

  it("takes many programs in several goes", () => {
    const programs = Array.from({ length: 1001 }, (_, at) => ({
      path: `/p${at}`,
      package: "a",
      interpreter: "/ld",
    }));
    expect(planTests({ ...facts, programs, mpi: [] }, undefined)).toHaveLength(3);
  });

  it("runs %test of a definition file, whatever else there is", () => {
    const tested = { ...facts, test: "/.singularity.d/test" };
    const names = (file?: TestsFile) => planTests(tested, file).map(({ name }) => name);
    expect(names()).toEqual(["libraries of 1 programs are found", "mpiexec starts two ranks", "%test"]);
    expect(names({ defaults: false, tests: [{ command: ["x"] }] })).toEqual(["%test", "x"]);
    const test = planTests({ ...tested, programs: [], mpi: [] }, undefined)[0];
    if (test === undefined) throw new Error("no test");
    expect(test).toMatchObject({ command: ["/.singularity.d/actions/test"], ranks: 0, timeout: 600 });
    expect(judge(test, { status: 0, stdout: "anything", stderr: "" })).toEqual([]);
    expect(judge(test, { status: 3, stdout: "", stderr: "broken\n" })).toEqual([
      "exit status 3 instead of 0: broken",
    ]);
  });

  it("adds the container's own, and leaves the usual ones out when told to", () => {
    const own = [{ command: ["ring", "1"], ranks: 4, transport: "tcp" }];
    expect(planTests(facts, { tests: own })).toHaveLength(3);
    const [test, ...more] = planTests(facts, { defaults: false, tests: own });
    expect(more).toEqual([]);
    expect(test).toMatchObject({
      name: "ring 1",
      ranks: 4,
      nodes: 1,
      timeout: 120,
      environment: { MPIR_CVAR_DEBUG_SUMMARY: "1" },
    });
  });
});

describe("judge", () => {
  const [test] = planTests(facts, {
    defaults: false,
    tests: [
      { command: ["x"], status: 3, stdout: "^4 ranks$", stderr: "careful", transport: "provider: cxi" },
    ],
  });
  if (test === undefined) throw new Error("no test");
  const right = { status: 3, stdout: "hello\n4 ranks\nprovider: cxi\n", stderr: "be careful\n" };

  it("is content with what was expected", () => {
    expect(judge(test, right)).toEqual([]);
    expect(judge(test, { ...right, stdout: right.stdout + right.stderr, stderr: "" }, true)).toEqual([]);
  });

  it("says everything that is not", () => {
    expect(judge(test, { status: 0, stdout: "1 ranks\n", stderr: "" })).toEqual([
      "exit status 0 instead of 3: 1 ranks",
      "the output does not match ^4 ranks$: 1 ranks",
      "standard error does not match careful",
      "no line names the transport provider: cxi",
    ]);
  });

  it("counts ranks", () => {
    const usual = planTests(facts, undefined)[1];
    if (usual === undefined) throw new Error("no test");
    const line = "rank is started\n";
    expect(judge(usual, { status: 0, stdout: line + line, stderr: "" })).toEqual([]);
    expect(judge(usual, { status: 0, stdout: line, stderr: "" })[0]).toContain("1 times instead of 2");
  });

  it("quotes the program, not Slurm's summary", () => {
    const usual = planTests(facts, undefined)[0];
    if (usual === undefined) throw new Error("no test");
    const said = "libx.so: cannot open\nsrun: error: n1: task 0: Exited with exit code 1\n";
    expect(judge(usual, { status: 1, stdout: said, stderr: "" }, true)[0]).toContain("cannot open");
  });
});
