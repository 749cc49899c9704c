import type { FileHandle } from "node:fs/promises";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { resolveLink } from "./directoryWriter.ts";
import { archivePath, nameOfBytes, printable } from "./names.ts";
import { type PaxValues, parsePax } from "./pax.ts";
import { blockSize, isZero, parseHeader, TarHeaderError } from "./tarHeader.ts";

/** Where a file's content lies in an uncompressed tar archive, in bytes. */
export interface TarExtent {
  readonly offset: number;
  readonly size: number;
}

/** Members of an archive of archives; images have hundreds at most. */
const maxMembers = 100_000;
const maxMetaBytes = 2 ** 20;

/**
 * Lists the files in an uncompressed tar archive without reading their content, so that each can then be read by itself,
 * in any order. Links are listed as what they lead to. Of two files of one name the later counts.
 *
 * @returns extents by canonical path
 * @throws {SpacktainersError} `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE`
 */
export async function indexTar(file: FileHandle, where: Place): Promise<ReadonlyMap<string, TarExtent>> {
  const { size: fileSize } = await file.stat();
  const invalid = (at: number, what: string): SpacktainersError =>
    new SpacktainersError("ARCHIVE_INVALID", `the tar archive is not valid at byte ${at}: ${what}`, {
      place: where,
    });
  const extents = new Map<string, TarExtent>();
  const links = new Map<string, string>();
  let pax: PaxValues = {};
  let longName: string | undefined;
  let members = 0;
  for (let at = 0; ; ) {
    const block = await readExactly(file, at, blockSize);
    if (block === undefined) throw invalid(at, "the archive is cut off");
    if (isZero(block)) break;
    if (++members > maxMembers) throw invalid(at, "it has too many members");
    let header: ReturnType<typeof parseHeader>;
    try {
      header = parseHeader(block);
      const isMeta = "xXgLK".includes(header.type);
      const size = isMeta ? header.size : (pax.size ?? header.size);
      const content = at + blockSize;
      // Hard links and directories may name a size, but have no content.
      const length = "12345".includes(header.type) ? 0 : size;
      if (length < 0 || content + length > fileSize) throw invalid(at, "the archive is cut off");
      at = content + Math.ceil(length / blockSize) * blockSize;
      if (isMeta) {
        if (length > maxMetaBytes) throw invalid(content, "an extended header is too large");
        const bytes = await readExactly(file, content, length);
        if (bytes === undefined) throw invalid(content, "the archive is cut off");
        if (header.type === "x" || header.type === "X") pax = { ...pax, ...parsePax(bytes) };
        else if (header.type === "L") longName = nameOfBytes(bytes.subarray(0, endOf(bytes)));
        continue;
      }
      const path = archivePath(pax.path ?? longName ?? header.name, "relative");
      const target = pax.linkpath ?? header.linkName;
      pax = {};
      longName = undefined;
      links.delete(path);
      extents.delete(path);
      if (header.type === "0" || header.type === "7") extents.set(path, { offset: content, size: length });
      else if (header.type === "1") links.set(path, archivePath(target, "relative"));
      else if (header.type === "2")
        links.set(path, resolveLink(path.slice(0, Math.max(0, path.lastIndexOf("/"))), target));
    } catch (error) {
      if (error instanceof TarHeaderError) throw invalid(at, error.message);
      throw error;
    }
  }
  for (const [path, target] of links) {
    let end: string | undefined = target;
    for (let hops = 0; end !== undefined && links.has(end); hops++) {
      if (hops > 40) throw invalid(0, `${printable(path)} is a circle of links`);
      end = links.get(end);
    }
    const extent = end === undefined ? undefined : extents.get(end);
    if (extent !== undefined) extents.set(path, extent);
  }
  return extents;
}

async function readExactly(file: FileHandle, offset: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) return undefined;
    at += bytesRead;
  }
  return bytes;
}

function endOf(bytes: Buffer): number {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes.length : end;
}
