/** What the dynamic loader needs to know of an ELF file. Sources: gABI, "Dynamic Section"; LSB, "Symbol Versioning". */
import { type DynamicEntry, dynamicStrings, fileOffsetOf, readDynamicEntries } from "./dynamicSection.ts";
import type { ElfInfo } from "./elfInfo.ts";
import { cString, type ElfFrame, elfConstants as elf, parseElf } from "./parseElf.ts";

export { isElf } from "./parseElf.ts";

/** Bound on symbol version records: real libraries have at most a few hundred. */
const maxVersions = 16_384;

const flagWeak = 2;
const flagBase = 1;

/**
 * Reads the facts of an ELF file.
 *
 * Tolerant on purpose: the file is data of a package, and a broken one (packages ship them in test suites) must not
 * stop an image. What lies outside of the file is left out of the facts; nothing is ever read out of bounds.
 *
 * @param bytes the whole file
 * @returns undefined when it is not ELF: wrong magic, class or byte order, or shorter than its header
 */
export function readElfInfo(bytes: Uint8Array): ElfInfo | undefined {
  const frame = parseElf(bytes);
  if (frame === undefined) return undefined;
  const interpreter = readInterpreter(frame);
  const base = {
    bits: frame.fields.bits,
    endian: frame.fields.littleEndian ? "little" : "big",
    machine: frame.machine,
    type: typeName(frame.type),
    ...(interpreter === undefined ? {} : { interpreter }),
  } as const;
  const loadable = frame.type === elf.ET_EXEC || frame.type === elf.ET_DYN;
  const entries = loadable ? readDynamicEntries(frame) : undefined;
  if (entries === undefined) {
    return { ...base, needed: [], rpath: [], runpath: [], versionsNeeded: {}, versionsDefined: [] };
  }
  const stringAt = dynamicStrings(frame, entries);
  const strings = (tag: number): string[] =>
    entries.filter((entry) => entry.tag === tag).flatMap((entry) => stringAt(entry.value) ?? []);
  const soname = strings(elf.DT_SONAME)[0];
  const flags1 = entryValue(entries, elf.DT_FLAGS_1) ?? 0;
  return {
    ...base,
    ...(soname === undefined ? {} : { soname }),
    needed: strings(elf.DT_NEEDED),
    rpath: strings(elf.DT_RPATH).flatMap(splitPath),
    runpath: strings(elf.DT_RUNPATH).flatMap(splitPath),
    ...(Math.floor(flags1 / elf.DF_1_NODEFLIB) % 2 === 1 ? { noDefaultLibraries: true } : {}),
    versionsNeeded: readVersionsNeeded(frame, entries, stringAt),
    versionsDefined: readVersionsDefined(frame, entries, stringAt),
  };
}

function typeName(type: number): ElfInfo["type"] {
  switch (type) {
    case elf.ET_REL:
      return "relocatable";
    case elf.ET_EXEC:
      return "executable";
    case elf.ET_DYN:
      return "dynamic";
    case elf.ET_CORE:
      return "core";
    default:
      return "other";
  }
}

function readInterpreter(frame: ElfFrame): string | undefined {
  const segment = frame.segments?.find((s) => s.type === elf.PT_INTERP && s.fileSize > 0);
  if (segment === undefined) return undefined;
  const end = Math.min(segment.offset + segment.fileSize, frame.bytes.length);
  return cString(frame.bytes, segment.offset, end)?.toString("utf8");
}

function splitPath(path: string): string[] {
  return path.split(":").filter((item) => item !== "");
}

function entryValue(entries: readonly DynamicEntry[], tag: number): number | undefined {
  return entries.find((entry) => entry.tag === tag)?.value;
}

const neededRecord = { recordSize: 16, linkAt: 12 };
const definedRecord = { recordSize: 20, linkAt: 16 };

/** Both version tables are chains of records whose links are relative, forward and bounded by a count. */
function* chain(
  frame: ElfFrame,
  start: number | undefined,
  count: number,
  { recordSize, linkAt }: { readonly recordSize: number; readonly linkAt: number },
): Generator<number> {
  let offset = start;
  for (let left = Math.min(count, maxVersions); left > 0 && offset !== undefined; left--) {
    if (!(offset >= 0 && offset + recordSize <= frame.bytes.length)) return;
    yield offset;
    const next = frame.fields.word(offset + linkAt);
    offset = next === 0 ? undefined : offset + next;
  }
}

function readVersionsNeeded(
  frame: ElfFrame,
  entries: readonly DynamicEntry[],
  stringAt: (offset: number) => string | undefined,
): Record<string, readonly string[]> {
  const { half, word } = frame.fields;
  const versions = new Map<string, string[]>();
  const address = entryValue(entries, elf.DT_VERNEED);
  const start = address === undefined ? undefined : fileOffsetOf(frame, address);
  let budget = maxVersions;
  for (const need of chain(frame, start, entryValue(entries, elf.DT_VERNEEDNUM) ?? 0, neededRecord)) {
    const library = stringAt(word(need + 4));
    if (library === undefined) continue;
    const list = versions.get(library) ?? [];
    for (const aux of chain(frame, need + word(need + 8), Math.min(half(need + 2), budget), neededRecord)) {
      budget--;
      const name = stringAt(word(aux + 8));
      if (name !== undefined && (half(aux + 4) & flagWeak) === 0) list.push(name);
    }
    if (list.length > 0) versions.set(library, list);
  }
  // fromEntries defines own properties, so that a library called "__proto__" is only a name.
  return Object.fromEntries(versions);
}

function readVersionsDefined(
  frame: ElfFrame,
  entries: readonly DynamicEntry[],
  stringAt: (offset: number) => string | undefined,
): string[] {
  const { half, word } = frame.fields;
  const versions: string[] = [];
  const address = entryValue(entries, elf.DT_VERDEF);
  const start = address === undefined ? undefined : fileOffsetOf(frame, address);
  for (const definition of chain(frame, start, entryValue(entries, elf.DT_VERDEFNUM) ?? 0, definedRecord)) {
    if ((half(definition + 2) & flagBase) !== 0) continue;
    // The first auxiliary record is the version's own name; the others are its parents.
    const aux = definition + word(definition + 12);
    const name = aux + 8 <= frame.bytes.length ? stringAt(word(aux)) : undefined;
    if (name !== undefined) versions.push(name);
  }
  return versions;
}
