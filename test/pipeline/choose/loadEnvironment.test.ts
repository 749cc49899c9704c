import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadEnvironment } from "../../../src/pipeline/choose/loadEnvironment.ts";
import { ignoreEvents } from "../../../src/util/events.ts";

let work: string;
beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), "spacktainers-load-"));
});
afterEach(() => rm(work, { recursive: true, force: true }));

async function load(manifest: string, lock: string): Promise<unknown> {
  const container = { path: join(work, "spack.yaml"), lock: join(work, "spack.lock") };
  await writeFile(container.path, manifest);
  await writeFile(container.lock, lock);
  return loadEnvironment(container, {}, ignoreEvents).catch((error: unknown) => error);
}

it("says everything that is wrong with a manifest and with its lock, in one go", async () => {
  const refused = await load("spack:\n  specs: ['zlib@', 'hdf5 +']\n", "not JSON");
  expect(refused).toMatchObject({
    errors: [
      { place: { file: join(work, "spack.yaml"), line: 2 } },
      { place: { file: join(work, "spack.yaml"), line: 2 } },
      { code: "LOCK_INVALID", place: { file: join(work, "spack.lock") } },
    ],
  });
});

it("refuses a lock that cannot be read beside a manifest that can", async () => {
  expect(await load("spack:\n  specs: [zlib]\n", "{}")).toMatchObject({ errors: [{ code: "LOCK_INVALID" }] });
});
