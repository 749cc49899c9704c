/** Images of Apptainer on this machine, as one layer: SIF files, bare squashfs files and directories ("sandboxes"). */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseImageConfig } from "../archive/oci/parse.ts";
import { mediaTypes, type Platform } from "../archive/oci/types.ts";
import { writeTar } from "../archive/writeTar.ts";
import type { Image } from "../image/image.ts";
import type { Layer } from "../image/layer.ts";
import { platformRank } from "../image/platform.ts";
import { sweepTemporaries, temporaryPath, writeFileAtomically } from "../util/atomicFile.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { type Digest, digestOf, digestOfHex, hexOfDigest, parseDigest } from "../util/digest.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { type FileState, fileState } from "../util/fileState.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import { findProgram } from "../util/tool.ts";
import { directoryEntries } from "./directoryEntries.ts";
import { openSif, primaryPartition, readObject, type SifFile, type SifObject } from "./openSif.ts";
import { headerSize, isSifHead, partitionAttributes } from "./sifFormat.ts";
import { squashfsTar } from "./squashfsTar.ts";

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
 * @param platforms those wanted: a SIF for another is refused. A directory or squashfs file does not say what it is for, and is
 *   taken to be for the first
 * @throws {SpacktainersError} `NOT_FOUND`, `ARCHIVE_INVALID`, `NOT_SUPPORTED` (encrypted, another file system, another
 *   architecture); when its files are read `RUNTIME_MISSING` without `sqfs2tar`
 */
export async function openLocalImage(path: string, platforms: readonly Platform[]): Promise<Image> {
  const place = { file: path };
  const supposed = platforms[0]?.architecture ?? "amd64";
  try {
    const found = await stat(path);
    if (found.isDirectory()) {
      const tar = (): AsyncIterable<Uint8Array> => writeTar(directoryEntries(path), { trailer: true });
      return image({ path, architecture: supposed, execution: {}, tar });
    }
    // As it is before it is opened: what is read is of this state, if it is still that afterwards.
    const state = await fileState(path);
    // A pipe would be waited for.
    if (found.isFile() && isSquashfsHead(await headOf(path))) {
      const bytes = (): AsyncIterable<Uint8Array> => createReadStream(path, { highWaterMark: 2 ** 20 });
      return image({
        path,
        architecture: supposed,
        execution: {},
        tar: async function* () {
          yield* squashfsTar(await squashfsReader(path), path);
        },
        contentDigest: () => contentDigest(path, state, supposed, {}, bytes),
      });
    }
    const sif = await openSif(path);
    try {
      return await sifImage(sif, state, platforms);
    } catch (error) {
      await sif.close();
      throw error;
    }
  } catch (error) {
    throw asSpacktainersError(error, place);
  }
}

async function squashfsReader(path: string): Promise<string> {
  const reader = await findProgram("sqfs2tar");
  if (reader !== undefined) return reader;
  throw new SpacktainersError("RUNTIME_MISSING", "sqfs2tar, which reads squashfs, is not installed here", {
    place: { file: path },
    hint: "install squashfs-tools-ng",
  });
}

/** The image in a SIF file, which stays open until the image is closed. */
async function sifImage(sif: SifFile, state: FileState, platforms: readonly Platform[]): Promise<Image> {
  const { path } = sif;
  const place = { file: path };
  const partition = primaryPartition(sif);
  const facts = partition === undefined ? undefined : partitionAttributes(partition);
  if (partition === undefined || facts?.fileSystem !== "squashfs")
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      partition === undefined
        ? "the SIF file has no primary system partition"
        : `the root file system is ${facts?.fileSystem ?? "unknown"}; only squashfs can be read here`,
      { place },
    );
  const { architecture } = facts;
  if (platformRank(platforms)({ os: "linux", architecture }) === undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `the image is for ${architecture}, not for ${platforms.map((one) => one.architecture).join(" or ")}`,
      { place },
    );
  const execution = await sifExecution(sif);
  const copy = await partitionCopy(sif, partition);
  return image({
    path,
    architecture,
    execution,
    created: timeText(sif.header.created),
    tar: async function* () {
      yield* squashfsTar(await squashfsReader(path), await copy.path());
    },
    contentDigest: () => contentDigest(path, state, architecture, execution, () => sif.read(partition)),
    async close() {
      await copy.remove();
      await sif.close();
    },
  });
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

/** Digest of the file system's bytes and of the data beside them; remembered as long as the file stays as it is. */
async function contentDigest(
  path: string,
  { key, isSettled }: FileState,
  architecture: string,
  execution: JsonObject,
  bytes: () => AsyncIterable<Uint8Array>,
): Promise<Digest> {
  const said = JSON.stringify([architecture, execution]);
  const note = join(cacheHome(), "archives", "contents", hexOfDigest(digestOf(`${key}\n${said}`)));
  const known = parseDigest(await readFile(note, "utf8").catch(() => ""));
  if (known !== undefined) return known;
  const hash = createHash("sha256");
  hash.update(`${said}\n`);
  for await (const chunk of bytes()) hash.update(chunk);
  const digest = digestOfHex(hash.digest("hex"));
  // Not if the file has changed while it was read.
  if (isSettled && (await fileState(path)).key === key) await writeFileAtomically(note, digest);
  return digest;
}

/** What {@link image} makes an image of. */
interface LocalImage {
  readonly path: string;
  readonly architecture: string;
  /** How it is run, in the words of OCI. */
  readonly execution: JsonObject;
  /** RFC 3339. */
  readonly created?: string;
  /** Opens its file system as a tar. */
  tar(): AsyncIterable<Uint8Array>;
  contentDigest?(): Promise<Digest>;
  close?(): Promise<void>;
}

function image(local: LocalImage): Image {
  const { path, architecture, execution, created } = local;
  const place = { file: path };
  const rootfs = { type: "layers", diff_ids: [] };
  const bytes = Buffer.from(JSON.stringify({ architecture, os: "linux", config: execution, rootfs }));
  const value = { ...parseImageConfig(bytes, place), ...(created === undefined ? {} : { created }) };
  const descriptor = { mediaType: mediaTypes.config, digest: digestOf(bytes), size: bytes.length };
  const layer: Layer = {
    place,
    digest: undefined,
    size: undefined,
    diffId: undefined,
    blob: () => local.tar(),
    async *tar(onStored) {
      for await (const chunk of local.tar()) {
        onStored?.(chunk.length);
        yield chunk;
      }
    },
  };
  return {
    place,
    origin: { bootstrap: "localimage", from: "" },
    reference: undefined,
    manifest: undefined,
    hasOwnScripts: true,
    apptainerPath: path,
    config: () => Promise.resolve({ value, bytes, descriptor }),
    layers: () => Promise.resolve([layer]),
    contentDigest: async () => local.contentDigest?.(),
    close: async () => local.close?.(),
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
