/** Images of Apptainer on this machine, as layers: SIF files, bare squashfs files and directories ("sandboxes"). */
import { spawn } from "node:child_process";
import { createReadStream, type Stats } from "node:fs";
import { lstat, mkdir, open, readdir, readlink, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Entry, EntryStream } from "../archive/entry.ts";
import { fileSystemPath, nameOfBytes } from "../archive/names.ts";
import { parseImageConfig } from "../archive/oci/parse.ts";
import { writeTar } from "../archive/writeTar.ts";
import { sweepTemporaries, temporaryPath } from "../util/atomicFile.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import { findProgram, lastLine } from "../util/tool.ts";
import type { OpenImage } from "./imageContents.ts";
import { openSif, primaryPartition, readObject, type SifFile } from "./openSif.ts";
import { partitionFacts } from "./sifFormat.ts";

/** Documents are small. */
const maxDocument = 8 * 2 ** 20;

/**
 * Opens an Apptainer image. Its file system is one layer; the part of a SIF that holds it is copied below the cache until
 * the image is closed, since the program that reads squashfs wants a file of its own.
 *
 * @param path a SIF file, a squashfs file or a directory
 * @param architecture of a directory or squashfs file, which do not say it
 * @throws {SpacktainersError} `NOT_FOUND`, `ARCHIVE_INVALID`, `NOT_SUPPORTED` (encrypted, another file system, another
 *   architecture), `RUNTIME_MISSING` without `sqfs2tar`
 */
export async function openLocalImage(path: string, architecture: string): Promise<OpenImage> {
  const place = { file: path };
  try {
    if ((await stat(path)).isDirectory()) {
      const tar = (): AsyncIterable<Uint8Array> => writeTar(directoryEntries(path), { trailer: true });
      return contents(architecture, {}, path, tar, async () => {});
    }
    const reader = await findProgram("sqfs2tar");
    if (reader === undefined)
      throw new SpacktainersError("RUNTIME_MISSING", "there is no sqfs2tar here, which reads squashfs", {
        hint: "install squashfs-tools-ng",
      });
    if (await isSquashfs(path))
      return contents(
        architecture,
        {},
        path,
        () => squashfsTar(reader, path),
        async () => {},
      );
    const sif = await openSif(path);
    try {
      return await sifContents(sif, architecture, reader);
    } finally {
      await sif.close();
    }
  } catch (error) {
    throw asSpacktainersError(error, place);
  }
}

async function sifContents(sif: SifFile, architecture: string, reader: string): Promise<OpenImage> {
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
  if (facts.architecture !== architecture)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `the image is for ${facts.architecture}, not for ${architecture}`,
      {
        place,
      },
    );
  const document = sif.objects.find(({ type, name }) => type === "json" && name === "oci-config.json");
  let execution: JsonObject = {};
  if (document !== undefined) {
    const text = (await readObject(sif, document, maxDocument)).toString("utf8");
    try {
      const json: unknown = JSON.parse(text);
      if (isJsonObject(json)) execution = json;
    } catch (cause) {
      throw new SpacktainersError("ARCHIVE_INVALID", "the OCI configuration in the SIF file is not JSON", {
        place,
        cause,
      });
    }
  }
  const folder = join(cacheHome(), "archives");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await sweepTemporaries(folder);
  const copy = temporaryPath(folder);
  const close = (): Promise<void> => rm(copy, { force: true });
  try {
    await writeFile(copy, sif.read(partition), { flag: "wx", mode: 0o600 });
    const image = contents(architecture, execution, sif.path, () => squashfsTar(reader, copy), close);
    return { ...image, config: { ...image.config, created: timeText(sif.header.created) } };
  } catch (error) {
    await close();
    throw error;
  }
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

async function isSquashfs(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(4);
    await file.read(head, 0, 4, 0);
    return head.toString("latin1") === "hsqs";
  } finally {
    await file.close();
  }
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
