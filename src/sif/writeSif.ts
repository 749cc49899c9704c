/** SIF files of images: the layers merged on the way into a squashfs, which is written in its place in the file. */
import { createReadStream } from "node:fs";
import { chmod, open, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Image } from "../image/image.ts";
import { type OutputOptions, replaceFile } from "../image/outputTarget.ts";
import type { Signer } from "../openpgp/signer.ts";
import { temporaryPath } from "../util/atomicFile.ts";
import type { Digest } from "../util/digest.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { align, completeSif, fileSystemStart } from "./completeSif.ts";
import { type ContainerRoot, containerRoot, type DefinitionAdditions, writeRoot } from "./containerRoot.ts";
import { digestOfRange, writeAll } from "./fileRange.ts";
import { isOurSif } from "./markSif.ts";
import { sifDocuments } from "./sifDocuments.ts";
import { alignment } from "./sifFormat.ts";
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
  readonly compression?: SquashfsCompression | undefined;
  /** Of the compressor; 3 for zstd, 6 for gzip. */
  readonly level?: number | undefined;
  /** What writes the file system; default: what {@link findSquashfsTool} finds. */
  readonly tool?: SquashfsTool;
  /** Sections and files of a definition file. */
  readonly additions?: DefinitionAdditions | undefined;
  /** Signs the file (SIF only). */
  readonly signer?: Signer | undefined;
  readonly emit?: EmitEvent;
  readonly signal?: AbortSignal | undefined;
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
    const documents = sifDocuments(root, (await image.config()).bytes);
    const start = fileSystemStart(documents);
    await writeRootAt(root, temporary, start, { ...options, ...choice });
    const id = await completeSif(temporary, { start, root, documents, signer: options.signer });
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
  const leftOut = root.merged.leftOut.message("the file");
  if (leftOut !== undefined) options.emit?.({ type: "warning", code: "NOTICE", message: leftOut });
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
