/** A directory of this machine. */
import { type BigIntStats, constants, createReadStream } from "node:fs";
import { type FileHandle, link, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { OpenBytes } from "../net/byteStream.ts";
import { downloadBytes } from "../net/download.ts";
import { nameFile, temporaryBeside } from "../util/atomicFile.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { expectWritable } from "../util/expectWritable.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { isLockName, withTargetLock } from "../util/targetLock.ts";
import { temporaryOwner } from "../util/temporaryOwner.ts";
import type {
  Content,
  FileStat,
  ListedFile,
  PutOptions,
  PutResult,
  Store,
  StoreOptions,
  StoreWriter,
} from "./store.ts";
import { storePath } from "./storePath.ts";

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
export function openFileStore(location: string, options: StoreOptions): Store {
  const root = localPath(location);
  const at = (path: string): string => join(root, ...storePath(path));
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
            hint: "this file is never that large; it is damaged, or something else is in its place",
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
      return factsOf(facts);
    },
    async download(path, destination, downloadOptions) {
      const openBytes: OpenBytes = async (offset) => {
        const facts = await stat(at(path)).catch(absent(at(path)));
        if (facts?.isFile() !== true) throw missing(at(path));
        const body = createReadStream(at(path), { start: offset, highWaterMark: 1 << 20 });
        return { body, offset, total: facts.size, validator: undefined };
      };
      return downloadBytes(at(path), destination, { open: openBytes, policy }, downloadOptions);
    },
    async hasFolder(path) {
      return readdir(at(path)).then(
        () => true,
        () => false,
      );
    },
    list: (folder) => listFiles(at(folder), folder),
    writer: openWriter(at, options.signal),
    async close() {},
  };
}

function openWriter(at: (path: string) => string, signal: AbortSignal | undefined): StoreWriter {
  return {
    async put(path, content, putOptions = {}) {
      const target = at(path);
      try {
        const temporary = await temporaryBeside(target);
        try {
          await writeContent(temporary, content, putOptions, signal);
          return await place(temporary, target, putOptions);
        } finally {
          await rm(temporary, { force: true });
        }
      } catch (thrown) {
        nameFile(thrown, target);
        throw asSpacktainersError(thrown, { file: target });
      }
    },
    async delete(path) {
      await rm(at(path), { force: true }).catch((thrown: NodeJS.ErrnoException) => {
        if (thrown.code !== "ENOTDIR") throw asSpacktainersError(thrown, { file: at(path) });
      });
    },
    async expectWritable() {
      await expectWritable(at("file"), { named: at(""), what: "the folder" });
    },
  };
}

async function writeContent(
  temporary: string,
  content: Content,
  { onBytes }: PutOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Others may share the directory: who may read and write it is for the umask to say.
  const file = await open(temporary, "wx", 0o666);
  try {
    if (content instanceof Uint8Array) {
      await file.writeFile(content);
      onBytes?.(content.length);
      return;
    }
    let size = 0;
    for await (const chunk of createReadStream(content.path, { highWaterMark: 1 << 20 })) {
      stopIfAborted(signal);
      await file.writeFile(chunk as Buffer);
      size += (chunk as Buffer).length;
      onBytes?.((chunk as Buffer).length);
    }
    stopIfAborted(signal);
    if (size !== content.size)
      throw new SpacktainersError("IO", "the file changed while it was being copied", {
        place: { file: content.path },
      });
  } finally {
    await file.close();
  }
}

/** Gives a finished file its name, if the condition holds. */
async function place(temporary: string, target: string, { condition }: PutOptions): Promise<PutResult> {
  const { size, mtimeNs, ino } = await stat(temporary, { bigint: true });
  const written: PutResult = { written: true, version: fileVersion({ size, mtimeNs, ino }) };
  if (condition === undefined) {
    await rename(temporary, target);
    return written;
  }
  if (condition === "absent") {
    // A second name cannot be given where there is one: nobody comes between looking and writing.
    return link(temporary, target).then(
      () => written,
      (thrown: NodeJS.ErrnoException) => {
        if (thrown.code === "EEXIST") return { written: false };
        throw thrown;
      },
    );
  }
  return withTargetLock(target, async (): Promise<PutResult> => {
    const facts = await stat(target, { bigint: true }).catch(absent(target));
    if (facts === undefined || fileVersion(facts) !== condition.version) return { written: false };
    await rename(temporary, target);
    return written;
  });
}

async function* listFiles(directory: string, folder: string): AsyncGenerator<ListedFile, void, undefined> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(absent(directory));
  for (const entry of entries ?? []) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    const file = join(directory, entry.name);
    if (temporaryOwner(entry.name) !== undefined || isLockName(entry.name)) continue;
    const facts = await stat(file, { bigint: true }).catch(absent(file));
    if (facts?.isDirectory() === true && entry.isDirectory()) yield* listFiles(file, path);
    else if (facts?.isFile() === true) yield { path, ...factsOf(facts) };
  }
}

function factsOf(facts: BigIntStats): FileStat {
  return {
    size: Number(facts.size),
    version: fileVersion(facts),
    modified: Number(facts.mtimeNs / 1_000_000n),
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

async function openFile(path: string): Promise<FileHandle | undefined> {
  // Not waiting: who opens a pipe waits for somebody to write into it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(absent(path));
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
