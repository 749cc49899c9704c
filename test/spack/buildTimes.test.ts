import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBuildTimes, secondsOfInstallTimes } from "../../src/spack/buildTimes.ts";
import type { DagHash } from "../../src/spec/concrete.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-times-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const id = (version: string, hash: string, name = "hdf5") => ({ name, version, hash: hash as DagHash });

describe("openBuildTimes", () => {
  it("knows the package itself, else its version, else another one, the latest", async () => {
    const times = openBuildTimes(join(folder, "a"));
    expect(await times.find(id("1.14", "x"))).toBeUndefined();
    await times.record(id("1.12", "old"), { seconds: 10, memory: 1 });
    await times.record(id("1.14", "one"), { seconds: 20, memory: 2 });
    await times.record(id("1.14", "two"), { seconds: 30, memory: undefined });
    expect(await times.find(id("1.14", "one"))).toEqual({ seconds: 20, memory: 2 });
    expect(await times.find(id("1.14", "new"))).toEqual({ seconds: 30, memory: undefined });
    expect(await times.find(id("9", "new"))).toMatchObject({ seconds: 30 });
    await times.record(id("1.14", "one"), { seconds: 25, memory: 3 });
    expect(await times.find(id("1.14", "one"))).toEqual({ seconds: 25, memory: 3 });
    // Another run sees it as well.
    expect(await openBuildTimes(join(folder, "a")).find(id("1.12", "old"))).toEqual({
      seconds: 10,
      memory: 1,
    });
    expect(await times.find(id("1.14", "one", "other"))).toBeUndefined();
  });

  it("does not fail on a damaged memory, nor where nothing can be written", async () => {
    const times = openBuildTimes(folder);
    for (const text of ["not json", "{}", '[{"seconds": "many"}, null]']) {
      writeFileSync(join(folder, "hdf5.json"), text);
      expect(await times.find(id("1", "a"))).toBeUndefined();
    }
    await openBuildTimes(join(folder, "hdf5.json", "below-a-file")).record(id("1", "a"), {
      seconds: 1,
      memory: undefined,
    });
  });
});

describe("secondsOfInstallTimes", () => {
  it("reads what Spack writes", () => {
    expect(
      secondsOfInstallTimes(
        '{"total":0.42,"phases":[{"name":"stage","path":"stage","seconds":0.1,"count":1}],"name":"a","cache":false,"hash":"x"}',
      ),
    ).toBe(0.42);
    for (const other of ['{"total":0.4,"cache":true}', '{"total":"a"}', "null", "", '{"total":-1}'])
      expect(secondsOfInstallTimes(other)).toBeUndefined();
  });
});
