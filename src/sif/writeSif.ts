/** SIF files of images: the layers merged on the way into a squashfs, which is written in its place in the file. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, type FileHandle, open, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { madeByAnnotation } from "../image/annotations.ts";
import { canonicalJson } from "../image/fragmentStore.ts";
import type { Image } from "../image/image.ts";
import { type OutputOptions, replaceFile } from "../image/outputTarget.ts";
import type { Signer } from "../openpgp/signer.ts";
import { temporaryPath } from "../util/atomicFile.ts";
import { type Digest, digestOf, digestOfHex } from "../util/digest.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { isJsonObject } from "../util/json.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { type ContainerRoot, containerRoot, type DefinitionAdditions, writeRoot } from "./containerRoot.ts";
import { markName } from "./markSif.ts";
import { openSif, readObject } from "./openSif.ts";
import {
  alignment,
  descriptorCount,
  descriptorSize,
  encodeDescriptor,
  encodeHeader,
  formatId,
  noExtra,
  partitionExtra,
  type SifDescriptor,
  signatureExtra,
} from "./sifFormat.ts";
import { descriptorDigest, formatSignedFacts, headerDigest } from "./sifIntegrity.ts";
import {
  chooseCompression,
  defaultLevels,
  findSquashfsTool,
  highestLevels,
  type SquashfsCompression,
  type SquashfsTool,
} from "./squashfsTool.ts";

/** How to write. */
export interface SifOptions extends OutputOptions {
  /** zstd where the tool has it, else gzip. */
  readonly compression?: SquashfsCompression;
  /** Of the compressor; 3 for zstd, 6 for gzip. */
  readonly level?: number;
  /** What writes the file system; default: what {@link findSquashfsTool} finds. */
  readonly tool?: SquashfsTool;
  /** Sections and files of a definition file. */
  readonly additions?: DefinitionAdditions;
  /** Signs the file (SIF only). */
  readonly signer?: Signer;
  readonly emit?: EmitEvent;
  readonly signal?: AbortSignal;
  /** Told of the size in bytes when it is known. */
  readonly onTotal?: (bytes: number) => void;
}

/** What was written. */
export interface SifSummary {
  /** Bytes of the file. */
  readonly size: number;
  /** Of the file. */
  readonly digest: Digest;
  /** The SIF's ID; of a bare squashfs none. */
  readonly id: string | undefined;
  /** Names in the file system, and bytes of its files. */
  readonly files: number;
  readonly bytes: number;
  readonly compression: SquashfsCompression;
  readonly level: number;
  /** The program that wrote the file system, and its version. */
  readonly tool: string;
}

/** The group that all objects belong to. */
const group = 1;
/** Named so in Apptainer's files; it finds them by these names. */
const inspectionName = "inspect-metadata.json";
const configurationName = "oci-config.json";
/** Documents that spacktainers writes are small. */
const maxDocument = 8 * 2 ** 20;

/**
 * Writes a SIF file. Nothing is unpacked to disk and no layer is held in memory; no daemon and no special rights are needed.
 * The same image gives the same bytes with the same version of the squashfs program, but for a signature.
 *
 * @throws {SpacktainersError} `RUNTIME_MISSING` without a squashfs program, `OUTPUT_EXISTS`, `DISK_FULL`, `ARCHIVE_INVALID`,
 *   `ARCHIVE_UNSAFE`, `CHECKSUM_MISMATCH` for bad layers, `KEY_INVALID` when the key cannot sign, `INTERRUPTED`
 */
export async function writeSif(path: string, image: Image, options: SifOptions = {}): Promise<SifSummary> {
  const choice = await chooseTool(options);
  return replaced(path, options, isOurSif, async (temporary) => {
    const root = await openRoot(image, options);
    const documents = documentsOf(root, (await image.config()).bytes);
    const start = align(documents.reduce((end, { bytes }) => end + bytes.length, dataOffset));
    await writeRootAt(root, temporary, start, { ...options, ...choice });
    const id = await completeSif(temporary, start, root, documents, options.signer);
    return summary(temporary, id, root, choice);
  });
}

/**
 * Writes the file system that {@link writeSif} puts into a SIF as a file of its own.
 * @throws as {@link writeSif}
 */
export async function writeSquashfs(
  path: string,
  image: Image,
  options: SifOptions = {},
): Promise<SifSummary> {
  const choice = await chooseTool(options);
  return replaced(path, options, isOurSquashfs, async (temporary) => {
    const root = await openRoot(image, options);
    await writeRootAt(root, temporary, 0, { ...options, ...choice });
    const file = await open(temporary, "r+");
    try {
      const { size } = await file.stat();
      // What follows the file system is not read by anything; it tells the next run that spacktainers made the file.
      await writeAll(file, squashfsMark, align(size));
    } finally {
      await file.close();
    }
    return summary(temporary, undefined, root, choice);
  });
}

/** Where data begin in a file with our table of descriptors. */
const dataOffset = alignment + descriptorCount * descriptorSize;

/** The last block of a squashfs that spacktainers made. */
const squashfsMark = Buffer.alloc(alignment);
squashfsMark.write("\nsquashfs made by spacktainers\n", "latin1");

interface Choice {
  readonly tool: SquashfsTool;
  readonly compression: SquashfsCompression;
  readonly level: number;
}

async function chooseTool(options: SifOptions): Promise<Choice> {
  const tool = options.tool ?? (await findSquashfsTool());
  const compression = chooseCompression(tool, options.compression);
  const level = options.level ?? defaultLevels[compression];
  if (!Number.isInteger(level) || level < 1 || level > highestLevels[compression])
    throw new SpacktainersError(
      "USAGE",
      `${compression} has no level ${level}: it is between 1 and ${highestLevels[compression]}`,
    );
  return { tool, compression, level };
}

async function replaced(
  path: string,
  options: SifOptions,
  isOurs: (path: string) => Promise<boolean>,
  write: (temporary: string) => Promise<SifSummary>,
): Promise<SifSummary> {
  let result: SifSummary | undefined;
  await replaceFile(path, options, isOurs, async (temporary) => {
    result = await write(temporary);
  });
  if (result === undefined) throw new SpacktainersError("INTERNAL", "nothing was written");
  return result;
}

async function openRoot(image: Image, options: SifOptions): Promise<ContainerRoot> {
  const root = await containerRoot(image, options.additions, options.signal);
  options.onTotal?.(root.merged.bytes);
  for (const name of root.skippedVariables)
    options.emit?.({
      type: "warning",
      code: "NOTICE",
      message: `the image sets a variable ${JSON.stringify(name.slice(0, 80))}, which no shell can set; it is left out`,
    });
  return root;
}

/** Writes the file system to its place, by way of a second file where the tool cannot. */
async function writeRootAt(
  root: ContainerRoot,
  path: string,
  start: number,
  options: SifOptions & Choice,
): Promise<void> {
  if (options.tool.name === "mksquashfs" || start === 0) {
    await writeRoot(root, path, start, options);
    return;
  }
  const aside = temporaryPath(dirname(path));
  try {
    await writeRoot(root, aside, 0, options);
    const file = await open(path, "wx", 0o644);
    try {
      let at = start;
      for await (const chunk of createReadStream(aside, { highWaterMark: 2 ** 20 })) {
        await writeAll(file, chunk as Buffer, at);
        at += (chunk as Buffer).length;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw asSpacktainersError(error, { file: path });
  } finally {
    await rm(aside, { force: true });
  }
}

interface Document {
  readonly type: "definition" | "json";
  readonly name: string;
  readonly bytes: Buffer;
}

function documentsOf(root: ContainerRoot, configBytes: Uint8Array): readonly Document[] {
  const inspection = withMark(root.inspection);
  const execution = executionJson(configBytes);
  return [
    { type: "definition", name: "", bytes: Buffer.from(root.definition) },
    { type: "json", name: inspectionName, bytes: Buffer.from(JSON.stringify(inspection)) },
    ...(execution === undefined
      ? []
      : [{ type: "json" as const, name: configurationName, bytes: Buffer.from(execution) }]),
  ];
}

/** The part of an OCI configuration about running it, keys sorted, whatever is in it. */
function executionJson(configBytes: Uint8Array): string | undefined {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(configBytes).toString("utf8"));
  } catch {
    return undefined;
  }
  const execution = isJsonObject(json) ? json.config : undefined;
  return isJsonObject(execution) ? canonicalJson(execution) : undefined;
}

/** Marks a file as made by spacktainers, beside what Apptainer reads. */
function withMark(inspection: object): object {
  return { ...inspection, [madeByAnnotation]: "spacktainers" };
}

/** Writes documents, descriptors and header around the file system; returns the ID. */
async function completeSif(
  path: string,
  start: number,
  root: ContainerRoot,
  documents: readonly Document[],
  signer: Signer | undefined,
): Promise<string> {
  const { created, architecture } = root;
  const size = (await stat(path)).size - start;
  const partition = await digestOfRange(path, start);
  const file = await open(path, "r+");
  try {
    const common = { group, link: undefined, created, modified: created } as const;
    const descriptors: SifDescriptor[] = [];
    const digests: Digest[] = [];
    let end = dataOffset;
    for (const { type, name, bytes } of documents) {
      await writeAll(file, bytes, end);
      const extent = { offset: end, size: bytes.length, sizeWithPadding: bytes.length };
      descriptors.push({ ...common, ...extent, type, id: descriptors.length + 1, name, extra: noExtra });
      digests.push(digestOf(bytes));
      end += bytes.length;
    }
    descriptors.push({
      ...common,
      type: "partition",
      id: descriptors.length + 1,
      offset: start,
      size,
      sizeWithPadding: start - end + size,
      name: "",
      extra: partitionExtra("squashfs", "primary system", architecture),
    });
    digests.push(partition);
    end = start + size;
    const id = contentId(created, architecture, descriptors, digests);
    const header = (count: number, dataEnd: number): Buffer =>
      encodeHeader({
        architecture,
        id,
        created,
        modified: created,
        descriptorsFree: descriptorCount - count,
        descriptorsTotal: descriptorCount,
        descriptorsOffset: alignment,
        descriptorsSize: descriptorCount * descriptorSize,
        dataOffset,
        dataSize: dataEnd - dataOffset,
      });
    if (signer !== undefined) {
      const objects = descriptors.map((descriptor, index) => ({
        relativeId: index,
        descriptorDigest: descriptorDigest(encodeDescriptor(descriptor), index),
        objectDigest: digests[index] ?? partition,
      }));
      const text = formatSignedFacts({ headerDigest: headerDigest(header(0, end)), objects });
      const signature = Buffer.from(await signer.signText(text, signatureTime()));
      await writeAll(file, signature, end);
      descriptors.push({
        ...common,
        type: "signature",
        id: descriptors.length + 1,
        group: 0,
        link: { group },
        offset: end,
        size: signature.length,
        sizeWithPadding: signature.length,
        name: "",
        extra: signatureExtra("SHA256", signer.fingerprint),
      });
      end += signature.length;
    }
    const table = Buffer.concat(descriptors.map(encodeDescriptor));
    await writeAll(file, table, alignment);
    await writeAll(file, header(descriptors.length, end), 0);
    return formatId(id);
  } finally {
    await file.close();
  }
}

/** Of what is in the file, in the form of a UUID of version 8 (RFC 9562: bytes of our own choice). */
function contentId(
  created: number,
  architecture: string,
  descriptors: readonly SifDescriptor[],
  digests: readonly Digest[],
): Buffer {
  const hash = createHash("sha256").update(`spacktainers sif 1\n${created} ${architecture}\n`);
  for (const [index, { type, name, size }] of descriptors.entries())
    hash.update(`${type} ${size} ${digests[index]} ${name}\n`);
  const id = hash.digest().subarray(0, 16);
  id[6] = ((id[6] ?? 0) & 0x0f) | 0x80;
  id[8] = ((id[8] ?? 0) & 0x3f) | 0x80;
  return id;
}

/** A signature says when it was made, and a key is not valid before its own time: the clock, unless `SOURCE_DATE_EPOCH` is set. */
function signatureTime(): number {
  const now = Math.floor(Date.now() / 1000);
  const { SOURCE_DATE_EPOCH: wanted } = hostEnvironment();
  return wanted === undefined || !/^[0-9]{1,11}$/.test(wanted) ? now : Number(wanted);
}

async function summary(
  temporary: string,
  id: string | undefined,
  { merged }: ContainerRoot,
  { tool, compression, level }: Choice,
): Promise<SifSummary> {
  // Executable, as Apptainer makes it: its first line starts it.
  await chmod(temporary, id === undefined ? 0o644 : 0o755);
  const { size } = await stat(temporary);
  const digest = await digestOfRange(temporary, 0);
  return {
    size,
    digest,
    id,
    files: merged.files,
    bytes: merged.bytes,
    compression,
    level,
    tool: tool.version,
  };
}

async function digestOfRange(path: string, start: number): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { start, highWaterMark: 2 ** 20 })) hash.update(chunk);
  return digestOfHex(hash.digest("hex"));
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; )
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
}

function align(offset: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

/** An earlier SIF of spacktainers says so in the document that `apptainer inspect` reads. */
export async function isOurSif(path: string): Promise<boolean> {
  const sif = await openSif(path).catch(() => undefined);
  if (sif === undefined) return false;
  try {
    if (sif.objects.some(({ name }) => name === markName)) return true;
    const document = sif.objects.find(({ type, name }) => type === "json" && name === inspectionName);
    if (document === undefined) return false;
    const json: unknown = JSON.parse((await readObject(sif, document, maxDocument)).toString("utf8"));
    return isJsonObject(json) && typeof json[madeByAnnotation] === "string";
  } catch {
    return false;
  } finally {
    await sif.close();
  }
}

async function isOurSquashfs(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const block = Buffer.alloc(alignment);
    const { bytesRead } = await file.read(block, 0, alignment, Math.max(0, size - alignment));
    return bytesRead === alignment && block.equals(squashfsMark);
  } finally {
    await file.close();
  }
}
