import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { diagnoseImages } from "../../../src/commands/doctor/diagnoseImages.ts";
import { ignoreEvents } from "../../../src/util/events.ts";

const directory = mkdtempSync(join(tmpdir(), "spacktainers-doctor-"));
afterAll(() => rmSync(directory, { recursive: true }));
beforeAll(() => {
  mkdirSync(join(directory, "sites"));
  writeFileSync(join(directory, "sites/jed.yaml"), "runtime: apptainer\n");
  mkdirSync(join(directory, "container_definitions/amd64/jet"), { recursive: true });
  writeFileSync(join(directory, "container_definitions/amd64/jet/spack.yaml"), "spack: {specs: [zlib]}\n");
});

const ask = (...subjects: readonly string[]) =>
  diagnoseImages({
    directory,
    subjects,
    arch: undefined,
    resources: {},
    mpi: undefined,
    hostMpi: undefined,
    emit: ignoreEvents,
    signal: new AbortController().signal,
  });

describe("a subject that is neither a site nor a container", () => {
  it("may be meant for a site, or for a container", async () => {
    await expect(ask("jedd")).rejects.toMatchObject({
      code: "UNKNOWN_CONTAINER",
      message: "there is no site `jedd`, and no container",
      hint: "did you mean `jed`?",
    });
    await expect(ask("jee")).rejects.toMatchObject({ hint: "did you mean `jed` or `jet`?" });
  });

  it("is only unknown where nothing is near", async () => {
    await expect(ask("something")).rejects.toMatchObject({
      code: "UNKNOWN_CONTAINER",
      message: "there is no container `something`",
    });
  });
});
