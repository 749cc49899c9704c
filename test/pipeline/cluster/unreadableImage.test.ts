/** Images that cannot be read on a machine without the program for it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { diagnoseImages } from "../../../src/commands/doctor/diagnoseImages.ts";
import { makeJob } from "../../../src/commands/job/makeJob.ts";
import {
  descriptorSize,
  encodeDescriptor,
  encodeHeader,
  partitionExtra,
} from "../../../src/sif/sifFormat.ts";
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
writeFileSync(join(directory, "a.sif"), sifOf(Buffer.from("hsqs and more")));
writeFileSync(join(directory, "b.sqfs"), "hsqs and more");

/** A SIF file with nothing but a file system. */
function sifOf(fileSystem: Buffer): Buffer {
  const id = Buffer.alloc(16);
  const times = { created: 0, modified: 0 };
  const descriptor = encodeDescriptor({
    ...times,
    type: "partition",
    id: 1,
    group: 1,
    link: undefined,
    offset: 8192,
    size: fileSystem.length,
    sizeWithPadding: fileSystem.length,
    name: "",
    extra: partitionExtra("squashfs", "primary system", "amd64"),
  });
  const header = encodeHeader({
    ...times,
    architecture: "amd64",
    id,
    descriptorsFree: 0,
    descriptorsTotal: 1,
    descriptorsOffset: 4096,
    descriptorsSize: descriptorSize,
    dataOffset: 8192,
    dataSize: fileSystem.length,
  });
  const file = Buffer.alloc(8192 + fileSystem.length);
  for (const [bytes, at] of [
    [header, 0],
    [descriptor, 4096],
    [fileSystem, 8192],
  ] as const)
    bytes.copy(file, at);
  return file;
}

const signal = new AbortController().signal;
const common = { directory, arch: undefined, resources: {}, mpi: undefined, hostMpi: undefined, signal };

describe.each(["a.sif", "b.sqfs"])("%s, without a program that reads squashfs", (image) => {
  it("doctor says what to install", async () => {
    await expect(
      diagnoseImages({ ...common, subjects: ["near", image], emit: () => {} }),
    ).rejects.toMatchObject({
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
      sbatch: [],
      emit: (event) => events.push(event),
    });
    expect(script).toContain(join(directory, image));
    expect(script).toContain("--mpi=pmi2");
    expect(findings).toEqual([]);
    expect(events.filter(({ type }) => type === "warning")).toEqual([
      {
        type: "warning",
        code: "NOTICE",
        message:
          "the image cannot be read, so whether it fits near is not checked: sqfs2tar, which reads squashfs, is not installed here",
      },
    ]);
  });
});
