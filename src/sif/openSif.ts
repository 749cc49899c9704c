import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import {
  decodeDescriptor,
  decodeHeader,
  descriptorSize,
  headerSize,
  partitionAttributes,
  type SifDescriptor,
  type SifHeader,
} from "./sifFormat.ts";

/** More descriptors than this no file has; the table is read into memory. */
const maxDescriptors = 4096;
/** Data are read in pieces of this size, in bytes. */
const pieceSize = 2 ** 20;

/** A descriptor and the bytes it was read from. */
export interface SifObject extends SifDescriptor {
  readonly raw: Buffer;
}

/** An open SIF file. */
export interface SifFile {
  readonly path: string;
  readonly header: SifHeader;
  /** The header's bytes. */
  readonly rawHeader: Buffer;
  /** In the order of their numbers. */
  readonly objects: readonly SifObject[];
  /** Reads an object's data in pieces. @throws {SpacktainersError} `ARCHIVE_INVALID` when the file became shorter */
  read(object: SifObject): AsyncGenerator<Buffer, void, void>;
  close(): Promise<void>;
}

/**
 * Opens a SIF file and reads its header and descriptors. Nothing in them is believed: every extent is compared with the
 * file's size, numbers of objects must be unique.
 *
 * @throws {SpacktainersError} `ARCHIVE_INVALID`, `NOT_SUPPORTED` (another version); `NOT_FOUND` and other errors of the system
 */
export async function openSif(path: string): Promise<SifFile> {
  const place = { file: path };
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const facts = await file.stat();
    if (!facts.isFile()) throw new SpacktainersError("ARCHIVE_INVALID", "this is not a SIF file", { place });
    const rawHeader = await readAt(file, 0, Math.min(headerSize, facts.size), path);
    const header = decodeHeader(rawHeader, place);
    const objects = await readObjects(file, header, facts.size, path);
    const handle = file;
    return {
      path,
      header,
      rawHeader,
      objects,
      read: (object) => readRange(handle, object.offset, object.size, path),
      close: () => handle.close(),
    };
  } catch (error) {
    await file?.close();
    throw asSpacktainersError(error, place);
  }
}

/**
 * The object with a number.
 * @throws {SpacktainersError} `NOT_FOUND`
 */
export function objectWithId(sif: SifFile, id: number): SifObject {
  const object = sif.objects.find((one) => one.id === id);
  if (object === undefined)
    throw new SpacktainersError("NOT_FOUND", `the SIF file has no object ${id}`, {
      place: { file: sif.path },
      hint: `it has ${sif.objects.map((one) => one.id).join(", ") || "none"}`,
    });
  return object;
}

/** The partition that is mounted as the root, or undefined. */
export function primaryPartition(sif: SifFile): SifObject | undefined {
  return sif.objects.find((object) => partitionAttributes(object)?.use === "primary system");
}

/**
 * Reads a small object whole.
 * @param maxBytes longest content accepted
 * @throws {SpacktainersError} `ARCHIVE_INVALID` when it is longer
 */
export async function readObject(sif: SifFile, object: SifObject, maxBytes: number): Promise<Buffer> {
  if (object.size > maxBytes)
    throw new SpacktainersError(
      "ARCHIVE_INVALID",
      `object ${object.id} is larger than ${maxBytes} bytes, the limit for objects of its kind`,
      { place: { file: sif.path } },
    );
  const pieces: Buffer[] = [];
  for await (const piece of sif.read(object)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function readObjects(
  file: FileHandle,
  header: SifHeader,
  fileSize: number,
  path: string,
): Promise<readonly SifObject[]> {
  const place = { file: path };
  const fail = (what: string): never => {
    throw new SpacktainersError("ARCHIVE_INVALID", `the SIF file is not valid: ${what}`, { place });
  };
  const total = header.descriptorsTotal;
  if (total > maxDescriptors) fail(`it claims to have ${total} descriptors`);
  if (header.descriptorsOffset < headerSize || header.descriptorsOffset + total * descriptorSize > fileSize)
    fail("its table of descriptors is not inside the file");
  const table = await readAt(file, header.descriptorsOffset, total * descriptorSize, path);
  const objects: SifObject[] = [];
  const ids = new Set<number>();
  for (let index = 0; index < total; index++) {
    const raw = Buffer.from(table.subarray(index * descriptorSize, (index + 1) * descriptorSize));
    const descriptor = decodeDescriptor(raw, place);
    if (descriptor === undefined) continue;
    const { id, offset, size } = descriptor;
    if (id === 0 || ids.has(id)) fail(`two objects have the number ${id}`);
    ids.add(id);
    if (offset < headerSize || offset + size > fileSize) fail(`object ${id} is not inside the file`);
    objects.push({ ...descriptor, raw });
  }
  return objects.sort((a, b) => a.id - b.id);
}

async function* readRange(
  file: FileHandle,
  offset: number,
  size: number,
  path: string,
): AsyncGenerator<Buffer, void, void> {
  for (let done = 0; done < size; ) {
    const piece = await readAt(file, offset + done, Math.min(pieceSize, size - done), path);
    done += piece.length;
    yield piece;
  }
}

async function readAt(file: FileHandle, offset: number, length: number, path: string): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0)
      throw new SpacktainersError("ARCHIVE_INVALID", "the SIF file is cut off", { place: { file: path } });
    at += bytesRead;
  }
  return bytes;
}
