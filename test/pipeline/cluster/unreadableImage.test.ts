/** Images that cannot be read on a machine without the program for it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { examine } from "../../../src/commands/doctor/examine.ts";
import { makeJob } from "../../../src/commands/job/makeJob.ts";
import type { WorkEvent } from "../../../src/util/events.ts";

vi.mock("../../../src/util/tool.ts", async (original) => ({
  ...(await original<typeof import("../../../src/util/tool.ts")>()),
  findProgram: async () => undefined,
}));

const directory = mkdtempSync(join(tmpdir(), "spacktainers-unreadable-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
mkdirSync(join(directory, "sites"));
writeFileSync(join(directory, "spacktainers.yaml"), "spacktainers: 1\n");
writeFileSync(join(directory, "sites/near.yaml"), "runtime: apptainer\nmpi: [pmi2, pmix]\n");
const head = Buffer.alloc(4096);
head.write("SIF_MAGIC", 32);
writeFileSync(join(directory, "a.sif"), head);
writeFileSync(join(directory, "b.sqfs"), "hsqs and more");

const signal = new AbortController().signal;
const common = { directory, arch: undefined, resources: {}, mpi: undefined, hostMpi: undefined, signal };

describe.each(["a.sif", "b.sqfs"])("%s, without a program that reads squashfs", (image) => {
  it("doctor says what to install", async () => {
    await expect(examine({ ...common, subjects: ["near", image], emit: () => {} })).rejects.toMatchObject({
      code: "RUNTIME_MISSING",
      hint: "install squashfs-tools-ng",
      place: { file: join(directory, image) },
    });
  });

  it("job writes the script all the same, and says what it does not know", async () => {
    const events: WorkEvent[] = [];
    const { script, findings } = await makeJob({
      ...common,
      image,
      site: "near",
      command: ["ring"],
      name: undefined,
      binds: [],
      workdir: undefined,
      env: [],
      location: undefined,
      gpu: undefined,
      log: undefined,
      emit: (event) => events.push(event),
    });
    expect(script).toContain(join(directory, image));
    expect(script).toContain("--mpi=pmi2");
    expect(findings).toEqual([]);
    expect(events).toEqual([
      {
        type: "warning",
        code: "NOTICE",
        message:
          "the image cannot be read, so whether it fits near is not checked: there is no sqfs2tar here, which reads squashfs",
      },
    ]);
  });
});
