/** Outputs for programs that no other test asks for with `--json`: `run` of a workplace holds each against its published schema. */
import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";

let work: Workplace;
beforeAll(() => {
  work = makeWorkplace();
  makeDemoRepository(work);
  mkdirSync(work.path(".git"));
});
afterAll(() => work?.remove());

describe("outputs for programs", () => {
  it.each([
    ["cache", "keys", "--cache", "cache"],
    ["cache", "show", "mpich/e445vrq", "--cache", "cache"],
    ["cache", "verify", "--cache", "cache", "--trust", "cache.pub"],
    ["cache", "index", "--cache", "cache", "--trust", "cache.pub"],
    ["ci", "github"],
    ["ci", "gitlab"],
    ["ci", "check"],
    ["ci", "plan"],
    ["ci", "credentials", "--output", "credentials"],
    ["build", "hello-mpi"],
    ["shims", "hello-mpi", "--image", "/images/hello-mpi.sif", "--into", "shims"],
  ])("of %s %s are as their schema says", async (...args) => {
    const result = await work.run(["--json", ...args]);
    expect(result.status, result.stdout + result.stderr).toBe(0);
    expect(jsonLines(result).at(-1)).toMatchObject({ type: "result" });
  });
});
