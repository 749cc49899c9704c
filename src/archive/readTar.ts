import { type Place, SpacktainersError } from "../util/errors.ts";
import { contentOf } from "./content.ts";
import type { Entry, EntryStream } from "./entry.ts";
import { type AbsolutePaths, archivePath, bytesOfName, nameOfBytes, printable } from "./names.ts";
import { type PaxValues, parsePax } from "./pax.ts";
import { isZero, parseHeader, type TarHeader, TarHeaderError } from "./tarHeader.ts";
import { invalidTar, padded, TarSource } from "./tarSource.ts";

/** What a tar archive may contain at most. */
export interface TarLimits {
  /** Number of entries. */
  readonly entries: number;
  /** Bytes of all files together. */
  readonly totalBytes: number;
  /** Bytes of one extended header. */
  readonly headerBytes: number;
  /** Bytes of a path or link text. */
  readonly nameBytes: number;
}

/** Limits that no honest archive meets. */
export const defaultTarLimits: TarLimits = {
  entries: 10_000_000,
  totalBytes: 2 ** 43,
  headerBytes: 2 ** 20,
  nameBytes: 4096,
};

/** How to read a tar archive. */
export interface ReadTarOptions {
  /** Where the archive is from, for error messages. */
  readonly where: Place;
  readonly limits?: Partial<TarLimits>;
  /** Devices, FIFOs: an error (the default) or left out. */
  readonly special?: "refuse" | "skip";
  /** Told of what is left out by `special: "skip"`, by its path. */
  readonly onSpecial?: ((path: string) => void) | undefined;
  /** Whether entries get their extended attributes; default false. */
  readonly xattrs?: boolean;
  /** Character devices 0:0 stand for what was removed, as overlay file systems have it: they become files named `.wh.NAME`. */
  readonly deviceWhiteouts?: boolean;
  /** A leading slash: an error (the default) or dropped. */
  readonly absolute?: AbsolutePaths;
  /** Whether the archive must end with a block of zeros (the default); fragments of a layer do not. */
  readonly end?: "required" | "optional";
}

/**
 * Reads a tar stream: ustar, PAX, GNU long names and base-256 numbers, and the old V7 form.
 *
 * Chunks of file content are passed on as they come, without copying. An entry's `content` may be left unread or half
 * read; the rest is skipped. Entries for the root itself are left out.
 *
 * @param chunks the uncompressed archive, in pieces of any size; the pieces must not be reused by their maker
 * @returns entries in the archive's order, paths in canonical form
 * @throws SpacktainersError ARCHIVE_INVALID (malformed, truncated, sparse, over a limit; the message has the offset),
 *   ARCHIVE_UNSAFE (a path that leads out)
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>, options: ReadTarOptions): EntryStream {
  const limits = { ...defaultTarLimits, ...options.limits };
  const source = new TarSource(chunks, options.where);
  try {
    yield* readEntries(source, options, limits);
  } finally {
    await source.close();
  }
}

async function* readEntries(source: TarSource, options: ReadTarOptions, limits: TarLimits): EntryStream {
  const { where } = options;
  let global: PaxValues = {};
  let pax: PaxValues = {};
  let longName: string | undefined;
  let longLink: string | undefined;
  let pending = false;
  let entries = 0;
  let totalBytes = 0;
  for (;;) {
    const headerAt = source.offset;
    const block = await source.block();
    if (block === undefined || isZero(block)) {
      if (pending) throw invalidTar(where, headerAt, "an extended header is followed by no entry");
      if (block !== undefined) await expectZeros(source, where);
      else if (options.end !== "optional") throw invalidTar(where, headerAt, "the archive is cut off");
      return;
    }
    const header = located(where, headerAt, () => parseHeader(block));
    const meta = metaTypes[header.type];
    if (meta !== undefined) {
      const bytes = await readMeta(source, header, limits, where);
      if (meta === "pax") pax = { ...pax, ...located(where, headerAt, () => parsePax(bytes)) };
      else if (meta === "global") global = { ...global, ...located(where, headerAt, () => parsePax(bytes)) };
      else if (meta === "name") longName = untilNul(bytes);
      else longLink = untilNul(bytes);
      pending = meta !== "global";
      continue;
    }
    const facts = resolve(header, { longName, longLink, pax, global });
    const xattrs = options.xattrs === true ? pax.xattrs : undefined;
    pax = {};
    longName = undefined;
    longLink = undefined;
    pending = false;
    if (++entries > limits.entries) throw invalidTar(where, headerAt, "it has too many entries");
    if (tooLong(facts.name, limits) || tooLong(facts.linkName, limits))
      throw invalidTar(where, headerAt, "a name is too long");
    const isWhiteout = options.deviceWhiteouts === true && facts.type === "3" && isNullDevice(block);
    if (isWhiteout) {
      yield whiteout(archivePath(facts.name, options.absolute ?? "refuse"), facts);
      continue;
    }
    const kind = entryKind(facts);
    const size = kind === "file" || kind === "skipped" ? facts.size : 0;
    totalBytes += size;
    if (size < 0 || totalBytes > limits.totalBytes)
      throw invalidTar(where, headerAt, "a size is out of range");
    if (kind === undefined)
      throw invalidTar(
        where,
        headerAt,
        `${printable(facts.name)} is of the unknown type ${printable(facts.type)}`,
      );
    if (kind === "special" && options.special !== "skip") {
      throw new SpacktainersError("ARCHIVE_UNSAFE", `${printable(facts.name)} is a device or FIFO`, {
        place: where,
        hint: "only files, directories and links can be in an image made here",
      });
    }
    if (kind === "special") options.onSpecial?.(archivePath(facts.name, options.absolute ?? "refuse"));
    if (kind !== "special" && kind !== "skipped") {
      const entry = located(where, headerAt, () =>
        makeEntry(kind, facts, { size, source }, options.absolute),
      );
      if (entry !== undefined) {
        source.startContent(size);
        yield xattrs === undefined ? entry : { ...entry, xattrs };
        await source.finishContent();
        continue;
      }
    }
    await source.skip(padded(size));
  }
}

/** Major and minor number 0 (ustar header, bytes 329 and 337). */
function isNullDevice(block: Buffer): boolean {
  return /^[0 \0]*$/.test(block.toString("latin1", 329, 345));
}

function whiteout(path: string, { uid, gid, mtime }: TarHeader): Entry {
  const slash = path.lastIndexOf("/") + 1;
  const name = `${path.slice(0, slash)}.wh.${path.slice(slash)}`;
  return {
    type: "file",
    path: name,
    mode: 0,
    uid,
    gid,
    mtime,
    size: 0,
    content: contentOf(new Uint8Array()),
  };
}

/** Types of header whose content is about the next entry (or all that follow). */
const metaTypes: Readonly<Record<string, "pax" | "global" | "name" | "link" | undefined>> = {
  x: "pax",
  X: "pax",
  g: "global",
  L: "name",
  K: "link",
};

type EntryKind = Entry["type"] | "special" | "skipped";

function entryKind(facts: TarHeader): EntryKind | undefined {
  switch (facts.type) {
    case "0":
    case "7":
      return facts.name.endsWith("/") ? "directory" : "file";
    case "1":
      return "hardlink";
    case "2":
      return "symlink";
    case "3":
    case "4":
    case "6":
      return "special";
    case "5":
      return "directory";
    case "V":
      return "skipped";
    default:
      return undefined;
  }
}

/** What headers before it say. */
interface ExtendedHeaders {
  readonly longName: string | undefined;
  readonly longLink: string | undefined;
  readonly pax: PaxValues;
  readonly global: PaxValues;
}

/** Precedence: the entry's own PAX header, GNU long names, the global PAX header, the header block. */
function resolve(header: TarHeader, { longName, longLink, pax, global }: ExtendedHeaders): TarHeader {
  const number = (key: "size" | "uid" | "gid" | "mtime"): number => {
    const own = pax[key];
    return (own === undefined ? global[key] : own) ?? header[key];
  };
  const string = (key: "path" | "linkpath", long: string | undefined, plain: string): string => {
    const own = pax[key];
    return (own === undefined ? (long ?? global[key]) : own) ?? plain;
  };
  return {
    ...header,
    name: string("path", longName, header.name),
    linkName: string("linkpath", longLink, header.linkName),
    size: number("size"),
    uid: number("uid"),
    gid: number("gid"),
    mtime: number("mtime"),
  };
}

/** The entry, or undefined for the root directory itself. */
function makeEntry(
  kind: Entry["type"],
  facts: TarHeader,
  { size, source }: { readonly size: number; readonly source: TarSource },
  absolute: AbsolutePaths = "refuse",
): Entry | undefined {
  const path = archivePath(facts.name, absolute);
  if (path === "") {
    if (kind === "directory") return undefined;
    throw new TarHeaderError("an entry has no name");
  }
  const base = { path, mode: facts.mode, uid: facts.uid, gid: facts.gid, mtime: facts.mtime };
  switch (kind) {
    case "directory":
      return { type: "directory", ...base };
    case "symlink":
      if (facts.linkName === "" || facts.linkName.includes("\0"))
        throw new TarHeaderError(`the symbolic link ${printable(path)} has no usable target`);
      return { type: "symlink", ...base, target: facts.linkName };
    case "hardlink": {
      const target = archivePath(facts.linkName, absolute);
      if (target === "") throw new TarHeaderError(`the hard link ${printable(path)} has no target`);
      return { type: "hardlink", ...base, target };
    }
    case "file":
      return { type: "file", ...base, size, content: source.content() };
  }
}

async function readMeta(
  source: TarSource,
  header: TarHeader,
  limits: TarLimits,
  where: Place,
): Promise<Buffer> {
  if (header.size < 0 || header.size > limits.headerBytes)
    throw invalidTar(where, source.offset, "an extended header is too large");
  const bytes = await source.exactly(header.size);
  await source.skip(padded(header.size) - header.size);
  return bytes;
}

async function expectZeros(source: TarSource, where: Place): Promise<void> {
  for (let chunk = await source.some(); chunk !== undefined; chunk = await source.some()) {
    if (!isZero(chunk)) throw invalidTar(where, source.offset, "there is data after the end of the archive");
  }
}

function located<T>(where: Place, offset: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof TarHeaderError) throw invalidTar(where, offset, error.message, error);
    if (error instanceof SpacktainersError && Object.keys(error.place).length === 0) {
      throw new SpacktainersError(error.code, error.message, {
        place: where,
        cause: error,
        hint: error.hint,
      });
    }
    throw error;
  }
}

/** Longest name of one file that Linux has, in bytes. */
const componentBytes = 255;
/** A UTF-16 unit takes at most three bytes, so most names need no counting. */
const mostBytesOfUnit = 3;

function tooLong(name: string, limits: TarLimits): boolean {
  const units = longestComponent(name);
  if (units * mostBytesOfUnit > componentBytes)
    if (name.split("/").some((part) => bytesOfName(part).length > componentBytes)) return true;
  return name.length * mostBytesOfUnit > limits.nameBytes && Buffer.byteLength(name) > limits.nameBytes;
}

/** Length of the longest part of a path between slashes. */
function longestComponent(name: string): number {
  let longest = 0;
  for (let start = 0; start <= name.length; ) {
    const slash = name.indexOf("/", start);
    const end = slash < 0 ? name.length : slash;
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return longest;
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return nameOfBytes(end < 0 ? bytes : bytes.subarray(0, end));
}
