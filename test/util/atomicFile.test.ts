import { spawnSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  sweepTemporaries,
  temporaryPath,
  writeAtomically,
  writeFileAtomically,
} from "../../src/util/atomicFile.ts";
import { asSpacktainersError } from "../../src/util/errors.ts";
import { hostTag, processIsAlive } from "../../src/util/processes.ts";
import { temporaryName } from "../../src/util/temporaryName.ts";
import { temporaryOwner } from "../../src/util/temporaryOwner.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-atomic-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("names temporaries after host and process", () => {
  expect(temporaryOwner(temporaryName())).toEqual({ host: hostTag, pid: process.pid });
  for (const name of [
    "tmp-a-1-0123456789ab",
    ".tmp-a-x-0123456789ab",
    ".tmp-a-1-0123",
    ".tmp-a-1-0123456789ab~",
  ])
    expect(temporaryOwner(name)).toBeUndefined();
});

it("sweeps what dead processes of this machine left, and what is old of others", async () => {
  const dead = spawnSync("true").pid;
  const put = (name: string, daysOld = 0): string => {
    writeFileSync(join(folder, name), "");
    const time = Date.now() / 1000 - daysOld * 86_400;
    utimesSync(join(folder, name), time, time);
    return name;
  };
  const kept = [
    put(basename(temporaryPath(folder)), 30),
    put(".tmp-another-1-0123456789ab", 6),
    put(".tmp-x"),
    put("other"),
  ];
  put(`.tmp-${hostTag}-${dead}-0123456789ab`);
  put(".tmp-another-2-0123456789ab", 8);
  await sweepTemporaries(folder);
  expect(readdirSync(folder).sort()).toEqual(kept.sort());
  await sweepTemporaries(join(folder, "missing"));
});

it("sweeps by the clock given", async () => {
  writeFileSync(join(folder, ".tmp-another-1-0123456789ab"), "");
  for (const [days, left] of [
    [1, 1],
    [6.9, 1],
    [366, 0],
  ] as const) {
    await sweepTemporaries(folder, () => Date.now() + days * 86_400_000);
    expect(readdirSync(folder), `after ${days} days`).toHaveLength(left);
  }
});

it("knows living processes, other users' too, and takes nothing else for one", () => {
  expect([process.pid, 1].map(processIsAlive)).toEqual([true, true]);
  for (const pid of [0, -1, Number.NaN, 1.5, 2 ** 31, 4_194_304_999]) expect(processIsAlive(pid)).toBe(false);
});

it("leaves nothing of what failed", async () => {
  const path = join(folder, "deep/file");
  const failing = writeAtomically(path, async (temporary) => {
    writeFileSync(temporary, "half");
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(readdirSync(join(folder, "deep"))).toEqual([]);
});

it("removes what killed processes left where it writes", async () => {
  writeFileSync(join(folder, `.tmp-${hostTag}-${spawnSync("true").pid}-0123456789ab`), "half");
  await writeFileAtomically(join(folder, "file"), "whole");
  expect(readdirSync(folder)).toEqual(["file"]);
});

it("says which file could not be written", async () => {
  const path = join(folder, "file");
  const full = writeAtomically(path, async () => {
    // As the system says it when a write into an open file fails.
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      syscall: "write",
    });
  });
  const error = asSpacktainersError(await full.catch((thrown: unknown) => thrown));
  expect(error).toMatchObject({ code: "DISK_FULL", place: { file: path } });
});

it("does not put a file in the place of a device or a pipe, nor of a link to one", async () => {
  const pipe = join(folder, "pipe");
  spawnSync("mkfifo", [pipe]);
  const link = join(folder, "link");
  symlinkSync("/dev/full", link);
  for (const place of [pipe, link]) {
    const before = lstatSync(place);
    await expect(writeFileAtomically(place, "x")).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    expect(lstatSync(place)).toMatchObject({ ino: before.ino, mode: before.mode });
  }
  expect(readdirSync(folder).sort()).toEqual(["link", "pipe"]);
});
