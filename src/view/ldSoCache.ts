/**
 * `/etc/ld.so.cache`: which library the dynamic loader finds under which name.
 *
 * The format is glibc's "new" one (since glibc 2.2 the only one read on 64-bit systems, since 2.32 the only one written):
 * a header of 48 bytes, one record of 24 bytes for each library, a table of strings, and a directory of extensions. All
 * numbers have the byte order of the machine. Offsets of strings count from the start of the file.
 */
import { baseName, bytesOfName } from "../archive/names.ts";
import type { ElfInfo } from "../elf/elfInfo.ts";
import { type FileTree, imagePath } from "./fileTree.ts";

/** Path of the cache in an image. */
export const ldSoCachePath = "/etc/ld.so.cache";

/** One library of the cache. */
export interface CachedLibrary {
  /** What programs ask for: the library's SONAME, or its file name when it has none. */
  readonly name: string;
  /** Absolute path in the image. */
  readonly path: string;
  /** Kind of library, by glibc's numbers: see {@link libraryFlags}. */
  readonly flags: number;
}

const magic = "glibc-ld.so.cache1.1";
const headerSize = 48;
const recordSize = 24;
const littleEndian = 2;
const extensionMagic = 0xeaa42174;
const generatorTag = 0;
const generator = "spacktainers";

/**
 * glibc's number for a library's kind: 3 for "ELF, libc 6" and the architecture in the second byte.
 * @returns undefined for machines that are not known here
 */
export function libraryFlags(facts: Pick<ElfInfo, "machine" | "bits">): number | undefined {
  const { machine, bits } = facts;
  if (machine === 62) return bits === 64 ? 0x0303 : 0x0803;
  if (machine === 183 && bits === 64) return 0x0a03;
  if (machine === 3) return 0x0003;
  if (machine === 21 && bits === 64) return 0x0503;
  if (machine === 22 && bits === 64) return 0x0403;
  if (machine === 243 && bits === 64) return 0x1003;
  return undefined;
}

/**
 * The loader's order of names: numbers in them are compared as numbers, a digit comes after anything else.
 * Numbers wrap at 32 bits, as the loader's do: the file must be sorted as the loader searches.
 * @returns negative, zero or positive
 */
export function compareLibraryNames(a: string, b: string): number {
  const isDigit = (code: number): boolean => code >= 48 && code <= 57;
  let i = 0;
  let j = 0;
  while (i < a.length) {
    const first = a.charCodeAt(i);
    const second = j < b.length ? b.charCodeAt(j) : 0;
    if (isDigit(first)) {
      if (!isDigit(second)) return 1;
      let left = 0;
      let right = 0;
      for (; isDigit(a.charCodeAt(i)); i++) left = (Math.imul(left, 10) + a.charCodeAt(i) - 48) | 0;
      for (; isDigit(b.charCodeAt(j)); j++) right = (Math.imul(right, 10) + b.charCodeAt(j) - 48) | 0;
      if (left !== right) return (left - right) | 0;
    } else if (isDigit(second)) {
      return -1;
    } else if (first !== second) {
      return first - second;
    } else {
      i++;
      j++;
    }
  }
  return j < b.length ? -b.charCodeAt(j) : 0;
}

/** Whether the file name is one that `ldconfig` looks at. */
function looksLikeLibrary(name: string): boolean {
  const starts = /^(lib|ld-|ld\.so\.|ld64\.so\.)/.test(name);
  // Left-overs of package managers, and scripts for debuggers that are named after a library.
  return (
    starts && name.includes(".so") && !/(-gdb\.py|\.dpkg-(new|tmp)|\.#prelink#\..*|;[0-9a-fA-F]+)$/.test(name)
  );
}

/**
 * Finds the libraries that `ldconfig` would put into the cache, one for each name, kind and directory.
 *
 * As `ldconfig` does, a library is entered as `<directory>/<SONAME>`. Where no such file exists (`ldconfig` would make a
 * link), the library itself is entered. Folders for special processors (`glibc-hwcaps`) are not looked into.
 *
 * @param directories absolute paths, the most important first; those that are missing or lead to the same place as an
 * earlier one are skipped
 */
export function librariesIn(tree: FileTree, directories: Iterable<string>): readonly CachedLibrary[] {
  const libraries: CachedLibrary[] = [];
  const visited = new Set<string>();
  for (const directory of directories) {
    const real = tree.resolve(directory);
    if (real?.entry.type !== "directory" || visited.has(real.path)) continue;
    visited.add(real.path);
    const found = new Map<string, CachedLibrary>();
    for (const file of tree.children(real.path)) {
      if (!looksLikeLibrary(file)) continue;
      const facts = elfInfoAt(tree, `${real.path}/${file}`);
      if (facts?.type !== "dynamic") continue;
      const flags = libraryFlags(facts);
      if (flags === undefined) continue;
      const isLink = tree.at(`${real.path}/${file}`)?.type === "symlink";
      const name = nameInCache(file, facts.soname, isLink);
      const key = `${flags} ${name}`;
      const before = found.get(key);
      if (before !== undefined && baseName(before.path) === name) continue;
      if (before !== undefined && file !== name && compareLibraryNames(file, baseName(before.path)) <= 0)
        continue;
      found.set(key, { name, path: `/${imagePath(directory)}/${file}`, flags });
    }
    libraries.push(...found.values());
  }
  return libraries;
}

/** A link for linking (`libz.so` for `libz.so.1`) is entered under its own name as well. */
function nameInCache(file: string, soname: string | undefined, isLink: boolean): string {
  if (soname === undefined || soname === "" || soname.includes("/")) return file;
  return isLink && file.endsWith(".so") && soname.startsWith(file) ? file : soname;
}

/** Facts of the ELF file a path leads to, through links and hard links. */
export function elfInfoAt(tree: FileTree, path: string): ElfInfo | undefined {
  const file = tree.resolve(path);
  if (file === undefined) return undefined;
  return file.entry.type === "hardlink" ? tree.hardLinkTarget(file).entry.elf : file.entry.elf;
}

/** Order of records: the loader searches from the greatest name down and takes the first of several equal ones. */
function recordOrder(a: CachedLibrary, b: CachedLibrary): number {
  return compareLibraryNames(b.name, a.name) || b.flags - a.flags;
}

/**
 * Writes the cache.
 * @param libraries in order of importance: of several with one name and kind the first is found
 * @returns the bytes of the file; the same for the same libraries
 */
export function writeLdSoCache(libraries: readonly CachedLibrary[]): Buffer {
  const sorted = libraries.toSorted(recordOrder);
  const strings: Buffer[] = [];
  const known = new Map<string, number>();
  let stringsSize = 0;
  const stringsStart = headerSize + recordSize * sorted.length;
  const place = (text: string): number => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const bytes = bytesOfName(text);
    const offset = stringsStart + stringsSize;
    strings.push(bytes, Buffer.of(0));
    stringsSize += bytes.length + 1;
    known.set(text, offset);
    return offset;
  };
  const head = Buffer.alloc(stringsStart);
  let at = headerSize;
  for (const library of sorted) {
    const value = place(library.path);
    const isTail = library.path.endsWith(`/${library.name}`);
    // The name is the end of the path: its string needs no room of its own.
    const key = isTail
      ? value + bytesOfName(library.path.slice(0, library.path.length - library.name.length)).length
      : place(library.name);
    head.writeInt32LE(library.flags, at);
    head.writeUInt32LE(key, at + 4);
    head.writeUInt32LE(value, at + 8);
    at += recordSize;
  }
  const padding = Buffer.alloc((4 - ((stringsStart + stringsSize) % 4)) % 4);
  const extensionOffset = stringsStart + stringsSize + padding.length;
  head.write(magic, 0, "latin1");
  head.writeUInt32LE(sorted.length, 20);
  head.writeUInt32LE(stringsSize, 24);
  head.writeUInt8(littleEndian, 28);
  head.writeUInt32LE(extensionOffset, 32);
  return Buffer.concat([head, ...strings, padding, extensionDirectory(extensionOffset)]);
}

/** The extension that names the writer; `ldconfig -p` shows it. */
function extensionDirectory(offset: number): Buffer {
  const size = 24;
  const bytes = Buffer.alloc(size + generator.length);
  bytes.writeUInt32LE(extensionMagic, 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt32LE(generatorTag, 8);
  bytes.writeUInt32LE(0, 12);
  bytes.writeUInt32LE(offset + size, 16);
  bytes.writeUInt32LE(generator.length, 20);
  bytes.write(generator, size, "latin1");
  return bytes;
}
