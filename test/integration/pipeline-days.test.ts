import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ageFiles } from "../support/ageFiles.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { debrisIn, digestOfBuild, jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";

const hour = 3600;
const day = 24 * hour;

let work: Workplace;
let digest: string;
beforeAll(async () => {
  work = makeWorkplace();
  makeDemoRepository(work);
  digest = digestOfBuild(await work.run(["build", "hello-mpi", "--json", "--output", "oci:image"]));
});
afterAll(() => work.remove());

it.each([
  ["an hour", hour],
  ["a day", day + hour],
  ["a month", 31 * day],
  ["half a year", 190 * day],
  ["a year", 370 * day],
])("everything works %s later", async (_, seconds) => {
  // As if nobody had worked here for so long.
  ageFiles(join(work.cacheHome, "spacktainers"), seconds);
  for (const output of ["image", "another"]) {
    const built = await work.run(["build", "hello-mpi", "--json", "--output", `oci:${output}`]);
    expect(digestOfBuild(built)).toBe(digest);
    expect(jsonLines(built).filter(({ type }) => type === "warning")).toEqual([]);
  }
  const unpacked = await work.run(["unpack", "hello-mpi", "--into", "unpacked", "--json"]);
  expect(unpacked.status, unpacked.stdout + unpacked.stderr).toBe(0);
  expect(jsonLines(unpacked).filter(({ type }) => type === "warning")).toEqual([]);
  expect(debrisIn(work.directory)).toEqual([]);
  rmSync(work.path("another"), { recursive: true });
  rmSync(work.path("unpacked"), { recursive: true });
});
