/** A build cache in a directory of this machine. */
import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { OpenBytes } from "../net/byteStream.ts";
import { downloadBytes } from "../net/download.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { CacheStore, StoreOptions } from "./store.ts";

/** Identifies the content of a file without reading it. */
export function fileVersion(facts: {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ino: bigint;
}): string {
  return `${facts.size}-${facts.mtimeNs}-${facts.ino}`;
}

/**
 * @param location a path, or a `file:` URL
 * @throws CACHE_UNAVAILABLE when it is no URL of a local file
 */
export function openFileStore(location: string, options: StoreOptions): CacheStore {
  const root = localPath(location);
  const at = (path: string): string => join(root, ...checked(path));
  const policy = { retries: 0, delayMs: 0, emit: options.emit, signal: options.signal };
  return {
    kind: "file",
    url: root,
    id: root,
    locate: at,
    localFile: at,
    async get(path, { maxBytes, version }) {
      const file = await openFile(at(path));
      if (file === undefined) return { status: "missing", bytes: new Uint8Array(), version: undefined };
      try {
        const facts = await file.stat({ bigint: true });
        const found = fileVersion(facts);
        if (version === found) return { status: "unchanged", bytes: new Uint8Array(), version };
        if (facts.size > BigInt(maxBytes))
          throw new SpacktainersError("CACHE_INVALID", `the file is larger than ${maxBytes} bytes`, {
            place: { file: at(path) },
            hint: "no such file of a build cache is; it is damaged, or something else lies in its place",
          });
        return { status: "found", bytes: await readAll(file, Number(facts.size)), version: found };
      } finally {
        await file.close();
      }
    },
    async getRange(path, start, length) {
      const file = await openFile(at(path));
      if (file === undefined) throw missing(at(path));
      try {
        return await readAll(file, length, start);
      } finally {
        await file.close();
      }
    },
    async stat(path) {
      const facts = await stat(at(path), { bigint: true }).catch(absent(at(path)));
      if (facts === undefined || !facts.isFile()) return undefined;
      return { size: Number(facts.size), version: fileVersion(facts) };
    },
    async download(path, destination, downloadOptions) {
      const openBytes: OpenBytes = async (offset) => {
        const facts = await stat(at(path)).catch(absent(at(path)));
        if (facts === undefined) throw missing(at(path));
        const body = createReadStream(at(path), { start: offset, highWaterMark: 1 << 20 });
        return { body, offset, total: facts.size, validator: undefined };
      };
      return downloadBytes(at(path), destination, openBytes, policy, downloadOptions);
    },
    async hasFolder(path) {
      return readdir(at(path)).then(
        () => true,
        () => false,
      );
    },
    async close() {},
  };
}

function localPath(location: string): string {
  if (!/^file:/i.test(location)) return resolve(location);
  // Spack writes file:///a b and file:/a; only the first is a proper URL.
  const url = location.replace(/^file:(?!\/\/)/i, "file://");
  if (URL.canParse(url) && (new URL(url).host === "" || new URL(url).host === "localhost")) {
    const parsed = new URL(url);
    parsed.host = "";
    return resolve(fileURLToPath(parsed));
  }
  throw new SpacktainersError("CACHE_UNAVAILABLE", `not the URL of a local directory: ${location}`);
}

/** The components of a path inside the cache; none for the root itself. */
function checked(path: string): string[] {
  if (path === "") return [];
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0")))
    throw new SpacktainersError("CACHE_INVALID", `not a path inside a build cache: ${path.slice(0, 200)}`);
  return parts;
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  const file = await open(path, "r").catch(absent(path));
  if (file === undefined) return undefined;
  if ((await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}

/** Reads up to `length` bytes from `position` (or the beginning). */
async function readAll(file: FileHandle, length: number, position = 0): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let have = 0;
  while (have < length) {
    const { bytesRead } = await file.read(bytes, have, length - have, position + have);
    if (bytesRead === 0) break;
    have += bytesRead;
  }
  return bytes.subarray(0, have);
}

/** For `catch`: what is not there becomes undefined, everything else one of our errors. */
function absent(path: string): (thrown: NodeJS.ErrnoException) => undefined {
  return (thrown) => {
    if (thrown.code === "ENOENT" || thrown.code === "ENOTDIR") return undefined;
    throw asSpacktainersError(thrown, { file: path });
  };
}

function missing(path: string): SpacktainersError {
  return new SpacktainersError("NOT_FOUND", "no such file", { place: { file: path } });
}
