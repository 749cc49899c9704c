/** Binary packages: deb(5), deb-control(5). */
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { type ArMember, listAr } from "../../archive/ar.ts";
import { readContent } from "../../archive/content.ts";
import { decompressStream } from "../../archive/decompress.ts";
import type { EntryStream } from "../../archive/entry.ts";
import { readTar } from "../../archive/readTar.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { type ControlParagraph, parseControl } from "./control.ts";

/** A package file, its control data read. */
export interface DebPackage {
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** `no`, `same`, `foreign` or `allowed`. */
  readonly multiArch: string;
  readonly control: ControlParagraph;
  /** The control file as it stands in the package. */
  readonly controlText: string;
  /** Maintainer scripts, or nothing: they are read, never run. */
  readonly preinst: string;
  readonly postinst: string;
  /** The `md5sums` file, or nothing. */
  readonly md5sums: string;
  /** Absolute paths of its configuration files. */
  readonly conffiles: readonly string[];
  /** The files it installs, as they stand in it. */
  readonly entries: () => EntryStream;
}

/** Most that one package may unpack to: Debian's largest have some 3 GiB. */
const maxUnpacked = 16 * 2 ** 30;
const maxControl = 64 * 2 ** 20;

/**
 * Opens a `.deb` file and reads its control part; the data part is read when `entries` is called.
 * @throws SpacktainersError ARCHIVE_INVALID, ARCHIVE_UNSAFE
 */
export async function openDeb(path: string, where: Place = { file: path }): Promise<DebPackage> {
  const { members, head } = await listMembers(path, where);
  if (members[0]?.name !== "debian-binary" || !head.startsWith("2."))
    throw invalid("it is not a package of format 2", where);
  const control = members.find(({ name }) => /^control\.tar(?:\.\w+)?$/.test(name));
  const data = members.find(({ name }) => /^data\.tar(?:\.\w+)?$/.test(name));
  if (control === undefined || data === undefined) throw invalid("it lacks a control or data part", where);
  const files = await readControlFiles(path, control, where);
  const controlText = files.get("control") ?? "";
  const paragraph = parseControl(controlText)[0] ?? new Map<string, string>();
  const field = (name: string): string => {
    const value = paragraph.get(name);
    if (value === undefined || value === "") throw invalid(`its control file has no field ${name}`, where);
    return value;
  };
  const name = field("package");
  if (!/^[a-z0-9][a-z0-9+.-]*$/.test(name)) throw invalid("its name is not the name of a package", where);
  const architecture = field("architecture");
  // It becomes part of file names in dpkg's database.
  if (!/^[a-z0-9][a-z0-9-]*$/.test(architecture)) throw invalid("its architecture is not valid", where);
  return {
    path,
    name,
    version: field("version"),
    architecture,
    multiArch: paragraph.get("multi-arch") ?? "no",
    control: paragraph,
    controlText,
    preinst: files.get("preinst") ?? "",
    postinst: files.get("postinst") ?? "",
    md5sums: files.get("md5sums") ?? "",
    conffiles: (files.get("conffiles") ?? "").split("\n").flatMap((line) => {
      const file = line.trim();
      // Later dpkg knows lines such as `remove-on-upgrade /etc/x`: no file of this package.
      return file.startsWith("/") ? [file] : [];
    }),
    entries: () => readTar(member(path, data, maxUnpacked, where), { where }),
  };
}

async function listMembers(
  path: string,
  where: Place,
): Promise<{ members: readonly ArMember[]; head: string }> {
  const { size } = await stat(path);
  const file = await open(path, "r");
  try {
    const readAt = async (offset: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    const members = await listAr(readAt, size, where);
    const first = members[0];
    const head = first === undefined ? "" : await readAt(first.offset, Math.min(first.size, 16));
    return { members, head: head.toString("latin1") };
  } finally {
    await file.close();
  }
}

function member(
  path: string,
  { offset, size }: ArMember,
  maxBytes: number,
  where: Place,
): AsyncIterable<Uint8Array> {
  const bytes = createReadStream(path, {
    start: offset,
    end: offset + Math.max(0, size - 1),
    highWaterMark: 2 ** 18,
  });
  return decompressStream(bytes, { where, maxBytes });
}

const controlFiles: ReadonlySet<string> = new Set(["control", "md5sums", "conffiles", "preinst", "postinst"]);
const maxScript = 2 ** 20;

function isScript(path: string): boolean {
  return path === "preinst" || path === "postinst";
}

async function readControlFiles(
  path: string,
  control: ArMember,
  where: Place,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for await (const entry of readTar(member(path, control, maxControl, where), { where })) {
    if (entry.type !== "file" || !controlFiles.has(entry.path)) continue;
    // A script may be a program.
    if (isScript(entry.path) && entry.size > maxScript) continue;
    files.set(entry.path, (await readContent(entry, maxControl)).toString("utf8"));
  }
  return files;
}

function invalid(what: string, place: Place): SpacktainersError {
  return new SpacktainersError("ARCHIVE_INVALID", `the Debian package is not valid: ${what}`, { place });
}
