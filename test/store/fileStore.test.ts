import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFileStore } from "../../src/store/fileStore.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { hostTag } from "../../src/util/processes.ts";
import { describeStore } from "../support/storeConformance.ts";

const options = { emit: ignoreEvents, signal: undefined };
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spacktainers-files-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const traits = { local: true, writable: true, atomic: true, large: 3_000_000 };
describeStore("a directory", traits, async () => {
  const root = await mkdtemp(join(folder, "store-"));
  return {
    store: openFileStore(`file://${root}`, options),
    async fill(files) {
      for (const [path, bytes] of files) {
        await mkdir(dirname(join(root, path)), { recursive: true });
        await writeFile(join(root, path), bytes);
      }
    },
  };
});

describe("a directory, as files", () => {
  it("has no debris, and what killed processes left goes away", async () => {
    const root = await mkdtemp(join(folder, "store-"));
    const dead = spawnSync("true").pid;
    await mkdir(join(root, "a"));
    await writeFile(join(root, `a/.tmp-${hostTag}-${dead}-0123456789ab`), "half");
    const { writer, list } = openFileStore(root, options);
    const listed: string[] = [];
    for await (const { path } of list?.("") ?? []) listed.push(path);
    expect(listed).toEqual([]);
    const first = await writer?.put("a/file", Buffer.from("1"));
    const version = first?.written === true ? (first.version ?? "") : "";
    await writer?.put("a/file", Buffer.from("2"), { condition: { version } });
    await writer?.put("a/file", Buffer.from("3"), { condition: { version } });
    await writer?.put("a/file", Buffer.from("4"), { condition: "absent" });
    expect(await readdir(join(root, "a"))).toEqual(["file"]);
  });

  it("gives files the permissions that the umask allows", async () => {
    const root = await mkdtemp(join(folder, "store-"));
    const before = process.umask(0o002);
    try {
      await openFileStore(root, options).writer?.put("file", Buffer.from("x"));
    } finally {
      process.umask(before);
    }
    expect((await stat(join(root, "file"))).mode & 0o777).toBe(0o664);
  });

  it("does not wait for pipes, nor list what is no file", async () => {
    const root = await mkdtemp(join(folder, "store-"));
    spawnSync("mkfifo", [join(root, "pipe")]);
    await symlink("nowhere", join(root, "dangling"));
    const store = openFileStore(root, options);
    expect((await store.get("pipe", { maxBytes: 10 })).status).toBe("missing");
    expect(await store.stat("pipe")).toBeUndefined();
    const listed: string[] = [];
    for await (const { path } of store.list?.("") ?? []) listed.push(path);
    expect(listed).toEqual([]);
  });

  it("stops in the middle when told to, and leaves nothing", async () => {
    const root = await mkdtemp(join(folder, "store-"));
    const big = join(folder, "big");
    await writeFile(big, Buffer.alloc(30_000_000));
    const stop = new AbortController();
    const store = openFileStore(root, { ...options, signal: stop.signal });
    const putting = store.writer?.put(
      "file",
      { path: big, size: 30_000_000 },
      { onBytes: () => stop.abort(new SpacktainersError("INTERRUPTED", "interrupted")) },
    );
    await expect(putting).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(await readdir(root)).toEqual([]);
  });

  it.skipIf(process.getuid?.() === 0)("says where it may not write", async () => {
    const root = await mkdtemp(join(folder, "store-"));
    await chmod(root, 0o500);
    await expect(openFileStore(root, options).writer?.put("a/b", Buffer.from("x"))).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      place: { file: expect.stringContaining(root) },
    });
    await chmod(root, 0o700);
  });

  it("says of a folder that it could not be made", async () => {
    const root = await mkdtemp(join(folder, "store-"));
    await writeFile(join(root, "file"), "");
    for (const path of ["file", "file/below"])
      await expect(openFileStore(join(root, path), options).writer?.expectWritable()).rejects.toMatchObject({
        code: "IO",
        message: "the folder cannot be written: a file is in its place",
        place: { file: join(root, path) },
      });
    await openFileStore(join(root, "new/below"), options).writer?.expectWritable();
    expect(await readdir(root)).toEqual(["file"]);
  });

  it("takes the forms that Spack writes for URLs, and refuses other hosts", () => {
    for (const url of [
      "file:///some/where",
      "file:/some/where",
      "file://localhost/some/where",
      "/some/where",
    ])
      expect(openFileStore(url, options).url).toBe("/some/where");
    expect(openFileStore("file:///some/a%20b", options).url).toBe("/some/a b");
    expect(() => openFileStore("file://host/x", options)).toThrow(
      expect.objectContaining({ code: "CACHE_UNAVAILABLE" }),
    );
  });
});
