/** One package archive in; one relocated, stripped, deterministic stream of entries out, and its inventory. */
import { contentOf, readContent } from "../archive/content.ts";
import { type Entry, type EntryStream, type FileEntry, imageMtime } from "../archive/entry.ts";
import type { Inventory, InventoryEntry, KeptRecipe } from "../archive/inventory.ts";
import { nameOfBytes } from "../archive/names.ts";
import { elfConstants, isElf, parseElf } from "../elf/parseElf.ts";
import { readElfInfo } from "../elf/readElf.ts";
import { stripElf } from "../elf/stripElf.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { existingPaths } from "./existingPaths.ts";
import { keptRecipes, sourcedFiles } from "./keptRecipes.ts";
import { archiveRefusal, openPackageArchive } from "./packageArchive.ts";
import { makePrefixMap, sbangPathOf } from "./prefixMap.ts";
import { editFile, type FileEdits, type FileMarks, inFile, relocateLink } from "./relocateFile.ts";
import { hasShebang, shebangOf } from "./sbang.ts";
import { type ArchiveScan, climbsOut, readHead, scanArchive } from "./scanArchive.ts";
import type { InstallRequest } from "./types.ts";

/** Modes as Spack installs them: directories inherit their group. */
const directoryMode = 0o2755;
const executableMode = 0o755;
const plainMode = 0o644;
const linkMode = 0o777;

/** Largest file that can be edited: it has to be in memory. Files that need no edit may be of any size. */
export const maxEditedBytes = 3 * 2 ** 30;
/** Scripts up to this size are kept whole in the inventory. */
const maxInventoryText = 64 * 1024;
const sniffBytes = 64;

/** Options of {@link installPackage}. */
export interface InstallPackageOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of (compressed) bytes of the archive just read; the first pass does not count. */
  readonly onRead?: (bytes: number) => void;
  /** See `OpenArchiveOptions`: a place for what a large archive unpacks to. */
  readonly scratchFile?: string | undefined;
}

/** A package on its way into an image. */
export interface InstalledPackage {
  /**
   * The entries, to be read once: paths below the new prefix, in the archive's order (the prefix first; directories above
   * it are not included), owner root, time {@link imageMtime}.
   */
  readonly entries: EntryStream;
  /** What went by, sorted by path. Only once `entries` has come to its end. */
  inventory(): Inventory;
}

/**
 * Installs a package as Spack would into the new prefix, and streams the result.
 *
 * The archive is read twice, because what is to be relocated stands at its end. A small one is unpacked in memory; of a large
 * one, never more than one file is there. Bytes depend on the archive and the request alone.
 *
 * @param request the package; its archive must have been verified
 * @returns entries that throw SpacktainersError ARCHIVE_INVALID, ARCHIVE_UNSAFE, BUILDINFO_INVALID, IDENTITY_MISMATCH,
 *   CHECKSUM_MISMATCH (at the end), PREFIX_TOO_LONG, RELOCATION_FAILED, INTERRUPTED while they are read; each names the package, most the file too
 */
export function installPackage(
  request: InstallRequest,
  options: InstallPackageOptions = {},
): InstalledPackage {
  const inventory: InventoryEntry[] = [];
  let recipes: readonly KeptRecipe[] = [];
  let finished = false;
  async function* entries(): EntryStream {
    const archive = await openPackageArchive(request.archivePath, {
      place: placeOf(request),
      signal: options.signal,
      digest: request.archiveDigest,
      scratchFile: options.scratchFile,
    });
    try {
      const scan = await scanArchive(archive);
      recipes = keptRecipes(scan.recipes, request.name, request.externals);
      const sourced = sourcedFiles(recipes);
      const opened = { entries: archive.entries(options.onRead), scan };
      for await (const [entry, note] of installedEntries(request, opened, sourced)) {
        inventory.push(note);
        yield entry;
      }
      finished = true;
    } finally {
      await archive.close();
    }
  }
  return {
    entries: entries(),
    inventory() {
      if (!finished) throw new SpacktainersError("INTERNAL", "the package is not installed yet");
      const entries = inventory.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
      return { entries, ...(recipes.length > 0 && { recipes }) };
    },
  };
}

type Noted = readonly [entry: Entry, note: InventoryEntry];

function placeOf(request: InstallRequest): Place {
  return { spec: `${request.name}@${request.version}/${request.hash.slice(0, 7)}` };
}

/** An archive in its second pass, and what the first one found. */
interface ScannedArchive {
  readonly entries: EntryStream;
  readonly scan: ArchiveScan;
}

async function* installedEntries(
  request: InstallRequest,
  { entries, scan: archive }: ScannedArchive,
  sourced: (path: string) => boolean,
): AsyncGenerator<Noted, void, void> {
  const place = placeOf(request);
  const { buildinfo, members } = archive;
  const map = makePrefixMap(buildinfo, request);
  const ownPrefix = request.prefixes[request.hash] ?? "";
  const imagePrefix = imagePathOf(ownPrefix, place);
  // Lists name files, and edits are of what a file's names share.
  const byFile = (names: readonly string[]): Set<string> =>
    new Set(names.map((name) => fileOf(members, name)));
  const textFiles = byFile(
    // Spack 0.23 leaves editors' backup files alone.
    request.generation === "0.x"
      ? buildinfo.textFiles.filter((name) => !name.endsWith("~"))
      : buildinfo.textFiles,
  );
  const binaries = byFile(buildinfo.binaries);
  const links = new Set(buildinfo.links);
  const edits: FileEdits = {
    map,
    sbangPath: sbangPathOf(request.root),
    sbang: request.options.sbang,
    strip: request.options.strip ? stripElf : undefined,
    exists: existingPaths({
      ownPrefix,
      members,
      otherPrefixes: Object.values(request.prefixes).filter((prefix) => prefix !== ownPrefix),
      root: request.root,
    }),
  };
  const skipped = (path: string): boolean =>
    !request.options.metadata && (path === ".spack" || path.startsWith(".spack/"));
  const exposed = exposedFiles(members, skipped);
  /** Files that are left out but have another name that is not; the first of these names becomes the file. */
  const held = new Map<string, Buffer>();
  const renamed = new Map<string, string>();

  for await (const entry of entries) {
    if (entry.path !== archive.prefix && !entry.path.startsWith(`${archive.prefix}/`)) continue;
    const below = entry.path.slice(archive.prefix.length + 1);
    if (skipped(below)) {
      if (entry.type === "file" && exposed.has(below))
        held.set(below, await readContent(entry, maxEditedBytes));
      continue;
    }
    const path = below === "" ? imagePrefix : `${imagePrefix}/${below}`;
    const owner = { path, uid: 0, gid: 0, mtime: imageMtime };
    const install = (entry: FileEntry, name: string): Promise<Noted> => {
      const facts = {
        listedText: textFiles.has(name),
        listedBinary: binaries.has(name),
        executable: entry.mode === executableMode,
      };
      return installFile(entry, { below, wanted: isVenvFile(below) || sourced(below), facts, edits, place });
    };
    switch (entry.type) {
      case "directory":
        yield withoutContent({ type: "directory", ...owner, mode: directoryMode });
        break;
      case "symlink": {
        const target = links.has(below) ? relocateLink(entry.target, map) : entry.target;
        if (climbsOut(path, target)) {
          throw archiveRefusal("ARCHIVE_UNSAFE", below, "is a link that leads out of the image", place);
        }
        yield withoutContent({ type: "symlink", ...owner, mode: linkMode, target });
        break;
      }
      case "hardlink": {
        const name = fileOf(members, below);
        const mode = fileMode(members.get(name)?.mode ?? 0);
        const content = held.get(name);
        if (content === undefined) {
          const target = `${imagePrefix}/${renamed.get(name) ?? name}`;
          yield withoutContent({ type: "hardlink", ...owner, mode, target });
          break;
        }
        held.delete(name);
        renamed.set(name, below);
        yield await install(
          { type: "file", ...owner, mode, size: content.length, content: contentOf(content) },
          name,
        );
        break;
      }
      case "file": {
        const noted = await install({ ...entry, ...owner, mode: fileMode(entry.mode) }, below);
        const source = archive.bytecodeSources.get(below);
        yield source?.size === noted[1].size ? [{ ...noted[0], mtime: source.mtime }, noted[1]] : noted;
        break;
      }
    }
  }
}

/** The path in the image for an absolute prefix. */
function imagePathOf(prefix: string, place: Place): string {
  const path = prefix.slice(1);
  const parts = path.split("/");
  if (!prefix.startsWith("/") || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw new SpacktainersError("INTERNAL", `${JSON.stringify(prefix)} cannot be a prefix`, { place });
  }
  return path;
}

function fileMode(mode: number): number {
  return (mode & 0o111) === 0 ? plainMode : executableMode;
}

/** The name under which a file stands in the archive, for any of its names. */
function fileOf(members: ArchiveScan["members"], path: string): string {
  const member = members.get(path);
  return member?.type === "hardlink" && member.target !== undefined ? member.target : path;
}

/** Files that are skipped, but have a hard link that is not. */
function exposedFiles(members: ArchiveScan["members"], skipped: (path: string) => boolean): Set<string> {
  const files = new Set<string>();
  for (const [path, { type, target }] of members) {
    if (type === "hardlink" && target !== undefined && skipped(target) && !skipped(path)) files.add(target);
  }
  return files;
}

function withoutContent(entry: Exclude<Entry, FileEntry>): Noted {
  const { path, type, mode } = entry;
  const target = entry.type === "directory" ? {} : { target: entry.target };
  return [entry, { path, type, mode, size: 0, ...target }];
}

/** What is done with a file. */
interface FileInstallation {
  readonly below: string;
  /** Its text is kept, should it be small. */
  readonly wanted: boolean;
  readonly facts: FileMarks;
  readonly edits: FileEdits;
  readonly place: Place;
}

/** Passes a file through, or reads it, edits it and notes what the later stages need to know of it. */
async function installFile(
  entry: FileEntry,
  { below, wanted, facts, edits, place }: FileInstallation,
): Promise<Noted> {
  const content = entry.content[Symbol.asyncIterator]();
  const { head, pieces } = await readHead(content, sniffBytes);
  const listed = facts.listedText || facts.listedBinary;
  const script = facts.executable && hasShebang(head);
  const note = { path: entry.path, type: entry.type, mode: entry.mode } as const;
  const small = entry.size <= maxInventoryText;
  if (!(listed || script || isLoadable(head) || (small && wanted))) {
    const elf = isElf(head) ? readElfInfo(head) : undefined;
    const rest = { ...entry, content: joined(pieces, content) };
    return [rest, { ...note, size: entry.size, ...(elf && { elf }) }];
  }
  if (entry.size > maxEditedBytes) {
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${below} needs to be edited, but is larger than ${maxEditedBytes} bytes`,
      { place },
    );
  }
  const whole = await readContent({ ...entry, content: joined(pieces, content) }, maxEditedBytes);
  let file: Buffer;
  try {
    file = editFile(whole, facts, edits);
  } catch (error) {
    throw inFile(error, below, place);
  }
  const elf = readElfInfo(file);
  const shebang = facts.executable ? shebangOf(file) : undefined;
  const inBin = /^bin\/[^/]+$/.test(below);
  const wholeText = file.length <= maxInventoryText && (wanted || (inBin && shebang !== undefined));
  return [
    { ...entry, size: file.length, content: contentOf(file) },
    {
      ...note,
      size: file.length,
      ...(elf && { elf }),
      ...(shebang && { shebang: nameOfBytes(shebang) }),
      ...(wholeText && { text: file.toString("latin1") }),
    },
  ];
}

/** Files of a Python environment that name its own place: a view has copies of them. */
function isVenvFile(below: string): boolean {
  return below === "pyvenv.cfg" || /^bin\/activate[^/]*$/i.test(below);
}

/** True for what a loader may load: an executable or shared object. */
function isLoadable(head: Buffer): boolean {
  if (!isElf(head)) return false;
  const type = parseElf(head)?.type;
  return type === elfConstants.ET_EXEC || type === elfConstants.ET_DYN;
}

async function* joined(
  pieces: readonly Uint8Array[],
  content: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  yield* pieces;
  for (let next = await content.next(); next.done !== true; next = await content.next()) yield next.value;
}
