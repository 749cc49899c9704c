/** The first pass over a package archive: what is in it, whether it is safe, and how it is to be relocated. */
import { readContent } from "../archive/content.ts";
import type { Entry } from "../archive/entry.ts";
import { printable } from "../archive/names.ts";
import { asBuffer } from "../elf/parseElf.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { type Buildinfo, maxBuildinfoBytes, parseBuildinfo } from "./buildinfo.ts";
import {
  type BytecodeSource,
  bytecodeHeaderSize,
  readBytecodeHeader,
  sourceOfBytecode,
} from "./bytecodeSources.ts";
import { maxRecipeBytes, maxRecipes, type RecipeFile, recipeFolder } from "./keptRecipes.ts";
import { archiveRefusal, type PackageArchive } from "./packageArchive.ts";

/** An entry of an archive below the package's prefix. */
export interface ArchiveMember {
  readonly type: Entry["type"];
  /** Bytes; 0 for all but files. */
  readonly size: number;
  readonly mode: number;
  /** Symbolic link: its text. Hard link: path below the prefix of the file, never of another hard link. */
  readonly target?: string | undefined;
}

/** What a package archive holds. Depends on its bytes alone, so it can be kept by the archive's digest. */
export interface ArchiveScan {
  /** The prefix as the archive has it, without leading slash. */
  readonly prefix: string;
  readonly buildinfo: Buildinfo;
  /** By path below the prefix, in the archive's order; the prefix itself is left out. */
  readonly members: ReadonlyMap<string, ArchiveMember>;
  /** What compiled Python files say of their sources, by path of the source below the prefix. */
  readonly bytecodeSources: ReadonlyMap<string, BytecodeSource>;
  /** The recipes that Spack kept: of the package and of all that it was built with. */
  readonly recipes: readonly RecipeFile[];
}

/** Options of {@link scanArchive}. */
export interface ScanArchiveOptions {
  /** Called with the number of (compressed) bytes just read. */
  readonly onRead?: ((bytes: number) => void) | undefined;
  /** Sees every entry, and may read the content of a file. */
  readonly onEntry?: (entry: Entry) => Promise<void>;
}

const noteSuffix = ".spack/binary_distribution";

/**
 * Reads a package archive once, without keeping its content.
 *
 * Checked here: every entry lies in the package's prefix or is a directory above it; no path appears twice; the parent
 * of every entry is a directory of the archive (so nothing is written through a symbolic link); hard links name earlier
 * files of the package; relative symbolic links do not lead above the root of the file system; the package's
 * `.spack/binary_distribution` is there, and what it lists is.
 *
 * @throws SpacktainersError ARCHIVE_INVALID, ARCHIVE_UNSAFE, BUILDINFO_INVALID, INTERRUPTED
 */
export async function scanArchive(
  archive: PackageArchive,
  options: ScanArchiveOptions = {},
): Promise<ArchiveScan> {
  const { place } = archive;
  const all = new Map<string, ArchiveMember>();
  const sources = new Map<string, BytecodeSource>();
  const recipes: RecipeFile[] = [];
  let note: { readonly path: string; readonly bytes: Buffer } | undefined;
  for await (const entry of archive.entries(options.onRead)) {
    addMember(all, entry, place);
    await options.onEntry?.(entry);
    if (entry.type === "file" && isNote(entry.path) && entry.path.length < (note?.path.length ?? 4097)) {
      if (entry.size > maxBuildinfoBytes)
        throw archiveRefusal("ARCHIVE_INVALID", entry.path, "is too large", place);
      note = { path: entry.path, bytes: Buffer.from(await readContent(entry)) };
    }
    const folder = entry.type === "file" ? recipeFolder(`/${entry.path}`) : undefined;
    if (
      folder !== undefined &&
      entry.type === "file" &&
      entry.size <= maxRecipeBytes &&
      recipes.length < maxRecipes
    )
      recipes.push({ folder, text: Buffer.from(await readContent(entry)).toString("utf8") });
    const source = entry.type === "file" ? sourceOfBytecode(entry.path) : undefined;
    if (source !== undefined && entry.type === "file") {
      const { head } = await readHead(entry.content[Symbol.asyncIterator](), bytecodeHeaderSize);
      const facts = readBytecodeHeader(head);
      if (facts !== undefined) sources.set(source, facts);
    }
  }
  if (note === undefined) {
    throw new SpacktainersError("ARCHIVE_INVALID", `the archive has no ${noteSuffix}`, {
      place,
      hint: "it is not an archive of a Spack package",
    });
  }
  const prefix = note.path.slice(0, -noteSuffix.length - 1);
  const members = membersOf(prefix, all, place);
  const buildinfo = parseBuildinfo(note.bytes, place);
  for (const list of [buildinfo.textFiles, buildinfo.binaries, buildinfo.links]) {
    for (const name of list) expectMember(members, name, list === buildinfo.links, place);
  }
  const bytecodeSources = new Map<string, BytecodeSource>();
  for (const [path, facts] of sources) {
    if (path.startsWith(`${prefix}/`)) bytecodeSources.set(path.slice(prefix.length + 1), facts);
  }
  return { prefix, buildinfo, members, bytecodeSources, recipes };
}

/** The beginning of a file's content. */
export interface Head {
  /** At least as many bytes as asked for, where there are as many. */
  readonly head: Buffer;
  /** Everything read so far. */
  readonly pieces: readonly Uint8Array[];
}

/** Reads the beginning of a file's content. */
export async function readHead(content: AsyncIterator<Uint8Array>, size: number): Promise<Head> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  while (length < size) {
    const next = await content.next();
    if (next.done === true) break;
    pieces.push(next.value);
    length += next.value.length;
  }
  const [first] = pieces;
  const head = pieces.length === 1 && first !== undefined ? asBuffer(first) : Buffer.concat(pieces);
  return { head, pieces };
}

function isNote(path: string): boolean {
  return path.endsWith(`/${noteSuffix}`);
}

function addMember(all: Map<string, ArchiveMember>, entry: Entry, place: Place): void {
  const { path } = entry;
  if (all.has(path)) throw archiveRefusal("ARCHIVE_UNSAFE", path, "is in the archive twice", place);
  const slash = path.lastIndexOf("/");
  const parent = slash < 0 ? undefined : all.get(path.slice(0, slash));
  if (slash >= 0 && parent === undefined) {
    throw archiveRefusal("ARCHIVE_INVALID", path, "comes before its directory", place);
  }
  if (parent !== undefined && parent.type !== "directory") {
    const what = parent.type === "symlink" ? "a symbolic link" : "a file";
    throw archiveRefusal("ARCHIVE_UNSAFE", path, `is below ${what}`, place);
  }
  let target: string | undefined;
  if (entry.type === "symlink") {
    target = entry.target;
    if (climbsOut(path, target)) {
      throw archiveRefusal(
        "ARCHIVE_UNSAFE",
        path,
        `is a link that leads out of the file system: ${target}`,
        place,
      );
    }
  } else if (entry.type === "hardlink") {
    const file = all.get(entry.target);
    if (file?.type !== "file" && file?.type !== "hardlink") {
      const what = `is a hard link to ${printable(entry.target)}, which is not a file before it in the archive`;
      throw archiveRefusal("ARCHIVE_UNSAFE", path, what, place);
    }
    target = file.target ?? entry.target;
  }
  const size = entry.type === "file" ? entry.size : 0;
  all.set(path, { type: entry.type, size, mode: entry.mode, target });
}

/** True for a relative link text that goes above the root from where the link is. */
export function climbsOut(path: string, target: string): boolean {
  if (target.startsWith("/")) return false;
  let depth = path.split("/").length - 1;
  for (const part of target.split("/")) {
    if (part === "..") depth--;
    else if (part !== "" && part !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

function membersOf(
  prefix: string,
  all: ReadonlyMap<string, ArchiveMember>,
  place: Place,
): Map<string, ArchiveMember> {
  if (all.get(prefix)?.type !== "directory") {
    throw archiveRefusal("ARCHIVE_INVALID", prefix, "is the package's prefix, but not a directory", place);
  }
  const members = new Map<string, ArchiveMember>();
  const inside = `${prefix}/`;
  for (const [path, member] of all) {
    if (path.startsWith(inside)) {
      if (member.type === "hardlink" && !member.target?.startsWith(inside)) {
        throw archiveRefusal("ARCHIVE_UNSAFE", path, "is a hard link out of the package's prefix", place);
      }
      const target = member.type === "hardlink" ? member.target?.slice(inside.length) : member.target;
      members.set(path.slice(inside.length), target === undefined ? member : { ...member, target });
    } else if (path !== prefix && !(member.type === "directory" && inside.startsWith(`${path}/`))) {
      throw archiveRefusal(
        "ARCHIVE_UNSAFE",
        path,
        `is outside of the package's prefix ${printable(prefix)}`,
        place,
      );
    }
  }
  return members;
}

function expectMember(
  members: ReadonlyMap<string, ArchiveMember>,
  name: string,
  link: boolean,
  place: Place,
): void {
  const type = members.get(name)?.type;
  if (link ? type === "symlink" : type === "file" || type === "hardlink") return;
  const what = type === undefined ? "is not in the archive" : `is a ${type}`;
  throw archiveRefusal("BUILDINFO_INVALID", name, `is to be relocated, but ${what}`, place);
}
