/** Images of Apptainer on this machine, as layers: SIF files, bare squashfs files and directories ("sandboxes"). */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { lstat, mkdir, open, readdir, readlink, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Entry, EntryStream } from "../archive/entry.ts";
import { fileSystemPath, nameOfBytes } from "../archive/names.ts";
import { parseImageConfig } from "../archive/oci/parse.ts";
import { writeTar } from "../archive/writeTar.ts";
import { hostArchitecture } from "../definitions/select.ts";
import type { OpenImage } from "../image/imageContents.ts";
import { sweepTemporaries, temporaryPath } from "../util/atomicFile.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import { findProgram, lastLine } from "../util/tool.ts";
import { openSif, primaryPartition, readObject, type SifFile, type SifObject } from "./openSif.ts";
import { headerSize, isSifHead, partitionFacts } from "./sifFormat.ts";

/** Documents are small. */
const maxDocument = 8 * 2 ** 20;

/**
 * Whether a path is an image that {@link openLocalImage} opens: a file that begins as SIF and squashfs files do, or a
 * directory with Apptainer's scripts in it.
 */
export async function isLocalImage(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory() === true)
    return stat(join(path, ".singularity.d")).then(
      (folder) => folder.isDirectory(),
      () => false,
    );
  if (facts?.isFile() !== true) return false;
  const head = await headOf(path).catch(() => Buffer.alloc(0));
  return isSquashfsHead(head) || isSifHead(head);
}

/**
 * Opens an Apptainer image. Its file system is one layer; the part of a SIF that holds it is copied below the cache when
 * that is first read, until the image is closed, since the program that reads squashfs wants a file of its own.
 *
 * @param path a SIF file, a squashfs file or a directory
 * @param architecture the one wanted: a SIF for another is refused. Undefined: whichever a SIF is for. A directory or
 *   squashfs file does not say it, and is then taken to be for this machine's
 * @throws {SpacktainersError} `NOT_FOUND`, `ARCHIVE_INVALID`, `NOT_SUPPORTED` (encrypted, another file system, another
 *   architecture), `RUNTIME_MISSING` without `sqfs2tar`
 */
export async function openLocalImage(path: string, architecture: string | undefined): Promise<OpenImage> {
  const place = { file: path };
  const supposed = architecture ?? hostArchitecture();
  try {
    const found = await stat(path);
    if (found.isDirectory()) {
      const tar = (): AsyncIterable<Uint8Array> => writeTar(directoryEntries(path), { trailer: true });
      return contents(supposed, {}, path, tar, async () => {});
    }
    const reader = await findProgram("sqfs2tar");
    if (reader === undefined)
      throw new SpacktainersError("RUNTIME_MISSING", "there is no sqfs2tar here, which reads squashfs", {
        place,
        hint: "install squashfs-tools-ng",
      });
    // A pipe would be waited for.
    if (found.isFile() && isSquashfsHead(await headOf(path))) {
      const tar = (): AsyncIterable<Uint8Array> => squashfsTar(reader, path);
      const bytes = (): AsyncIterable<Uint8Array> => createReadStream(path, { highWaterMark: 2 ** 20 });
      return {
        ...contents(supposed, {}, path, tar, async () => {}),
        contentDigest: () => contentDigest(supposed, {}, bytes()),
      };
    }
    const sif = await openSif(path);
    try {
      return await sifContents(sif, architecture, reader);
    } catch (error) {
      await sif.close();
      throw error;
    }
  } catch (error) {
    throw asSpacktainersError(error, place);
  }
}

/** The image in a SIF file, which stays open until the image is closed. */
async function sifContents(
  sif: SifFile,
  architecture: string | undefined,
  reader: string,
): Promise<OpenImage> {
  const place = { file: sif.path };
  const partition = primaryPartition(sif);
  const facts = partition === undefined ? undefined : partitionFacts(partition);
  if (partition === undefined || facts?.fileSystem !== "squashfs")
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      partition === undefined
        ? "the SIF file has no primary system partition"
        : `the root file system is ${facts?.fileSystem ?? "unknown"}; only squashfs can be read here`,
      { place },
    );
  if (architecture !== undefined && facts.architecture !== architecture)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `the image is for ${facts.architecture}, not for ${architecture}`,
      {
        place,
      },
    );
  const execution = await sifExecution(sif);
  const copy = await partitionCopy(sif, partition);
  const image = contents(
    facts.architecture,
    execution,
    sif.path,
    async function* () {
      yield* squashfsTar(reader, await copy.path());
    },
    async () => {
      await copy.remove();
      await sif.close();
    },
  );
  return {
    ...image,
    config: { ...image.config, created: timeText(sif.header.created) },
    contentDigest: () => contentDigest(facts.architecture, execution, sif.read(partition)),
  };
}

/** How the SIF says that it is run, in the words of OCI; empty when it does not. */
async function sifExecution(sif: SifFile): Promise<JsonObject> {
  const document = sif.objects.find(({ type, name }) => type === "json" && name === "oci-config.json");
  if (document === undefined) return {};
  const text = (await readObject(sif, document, maxDocument)).toString("utf8");
  try {
    const json: unknown = JSON.parse(text);
    return isJsonObject(json) ? json : {};
  } catch (cause) {
    throw new SpacktainersError("ARCHIVE_INVALID", "the OCI configuration in the SIF file is not JSON", {
      place: { file: sif.path },
      cause,
    });
  }
}

/** A file of its own for the file system, made when it is first asked for. */
async function partitionCopy(
  sif: SifFile,
  partition: SifObject,
): Promise<{ path(): Promise<string>; remove(): Promise<void> }> {
  const folder = join(cacheHome(), "archives");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await sweepTemporaries(folder);
  const path = temporaryPath(folder);
  let made: Promise<void> | undefined;
  return {
    async path() {
      made ??= writeFile(path, sif.read(partition), { flag: "wx", mode: 0o600 }).catch(async (error) => {
        await rm(path, { force: true });
        throw asSpacktainersError(error, { file: sif.path });
      });
      await made;
      return path;
    },
    async remove() {
      await made?.catch(() => {});
      await rm(path, { force: true });
    },
  };
}

/** Of the file system's bytes and of what is said beside them. */
async function contentDigest(
  architecture: string,
  execution: JsonObject,
  bytes: AsyncIterable<Uint8Array>,
): Promise<Digest> {
  const hash = createHash("sha256");
  hash.update(`${JSON.stringify([architecture, execution])}\n`);
  for await (const chunk of bytes) hash.update(chunk);
  return digestOfHex(hash.digest("hex"));
}

function contents(
  architecture: string,
  execution: JsonObject,
  path: string,
  open: () => AsyncIterable<Uint8Array>,
  close: () => Promise<void>,
): OpenImage {
  const rootfs = { type: "layers", diff_ids: [] };
  const configBytes = Buffer.from(JSON.stringify({ architecture, os: "linux", config: execution, rootfs }));
  return {
    config: parseImageConfig(configBytes, { file: path }),
    configBytes,
    layers: [{ name: path, open }],
    hasOwnScripts: true,
    origin: { bootstrap: "localimage", from: "" },
    close,
  };
}

function timeText(seconds: number): string {
  return new Date(Math.min(seconds, 2 ** 32) * 1000).toISOString();
}

/** Enough of a file to tell what it is. */
async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(headerSize);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function isSquashfsHead(head: Buffer): boolean {
  return head.toString("latin1", 0, 4) === "hsqs";
}

/** The content of a squashfs as a tar stream. */
async function* squashfsTar(program: string, path: string): AsyncGenerator<Buffer, void, void> {
  const child = spawn(program, ["--no-xattr", path], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-8192);
  });
  const ended = new Promise<number>((resolve) => {
    child.once("error", (error) => {
      said += error.message;
      resolve(-1);
    });
    child.once("close", (code) => resolve(code ?? -1));
  });
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    if ((await ended) !== 0)
      throw new SpacktainersError("ARCHIVE_INVALID", `the squashfs cannot be read: ${lastLine(said)}`, {
        place: { file: path },
      });
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** Files, directories and links below a directory, sorted; devices are left out. */
async function* directoryEntries(root: string, below = ""): EntryStream {
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
