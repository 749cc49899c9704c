import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Entry, EntryStream } from "../archive/entry.ts";
import { fileSystemPath, nameOfBytes } from "../archive/names.ts";

/** Files, directories and links below a directory, sorted; devices are left out. */
export async function* directoryEntries(root: string, below = ""): EntryStream {
  const folder = below === "" ? root : join(root, below);
  const names = (await readdir(fileSystemPath(folder), { encoding: "buffer" })).map((name) =>
    nameOfBytes(name),
  );
  for (const name of names.sort()) {
    const path = below === "" ? name : `${below}/${name}`;
    const at = fileSystemPath(join(root, path));
    const facts = await lstat(at);
    const entry = await entryOf(path, at, facts);
    if (entry === undefined) continue;
    yield entry;
    if (entry.type === "directory") yield* directoryEntries(root, path);
  }
}

async function entryOf(path: string, at: string | Buffer, facts: Stats): Promise<Entry | undefined> {
  const base = { path, mode: facts.mode & 0o7777, uid: 0, gid: 0, mtime: Math.floor(facts.mtimeMs / 1000) };
  if (facts.isDirectory()) return { type: "directory", ...base };
  if (facts.isSymbolicLink())
    return { type: "symlink", ...base, target: nameOfBytes(await readlink(at, { encoding: "buffer" })) };
  if (!facts.isFile()) return undefined;
  const content = createReadStream(at, { highWaterMark: 2 ** 20 }) as AsyncIterable<Uint8Array>;
  return { type: "file", ...base, size: facts.size, content };
}
