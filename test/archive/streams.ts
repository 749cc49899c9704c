/** Helpers for tests of streams. */
import { createHash } from "node:crypto";
import type { Entry, EntryStream, FileEntry } from "../../src/archive/entry.ts";

/** Bytes cut into pieces of the given sizes, again and again. */
export async function* pieces(bytes: Uint8Array, ...sizes: number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = Math.max(1, sizes[index % sizes.length] ?? bytes.length);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** Bytes that compress somewhat, the same every time. */
export function dullText(length: number): Buffer {
  const words = Array.from({ length: 500 }, (_, index) =>
    createHash("sha1").update(`${index}`).digest("base64"),
  );
  const parts: string[] = [];
  for (let size = 0, state = 1; size < length; size += 28) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    parts.push(words[(state >>> 16) % words.length] ?? "");
  }
  return Buffer.from(parts.join("")).subarray(0, length);
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

export async function* entriesOf(entries: Iterable<Entry>): EntryStream {
  yield* entries;
}

const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000 };

export function file(path: string, bytes: Uint8Array | string, more: Partial<FileEntry> = {}): FileEntry {
  const content = Buffer.from(bytes);
  return { type: "file", path, ...plain, size: content.length, content: pieces(content, 70_000), ...more };
}

export function directory(path: string, mode = 0o755): Entry {
  return { type: "directory", path, ...plain, mode };
}

export function symlink(path: string, target: string): Entry {
  return { type: "symlink", path, ...plain, mode: 0o777, target };
}

export function hardlink(path: string, target: string): Entry {
  return { type: "hardlink", path, ...plain, target };
}

/** An entry with its content read, for comparisons. */
export type ReadEntry = Omit<FileEntry, "content"> | Exclude<Entry, FileEntry>;

export async function readAll(
  entries: EntryStream,
): Promise<{ entry: ReadEntry; content: Buffer | undefined }[]> {
  const all = [];
  for await (const item of entries) {
    if (item.type === "file") {
      const { content, ...entry } = item;
      all.push({ entry, content: await collect(content) });
    } else all.push({ entry: item, content: undefined });
  }
  return all;
}
