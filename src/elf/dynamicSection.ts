/** The dynamic section of an ELF file, found as the loader finds it: by PT_DYNAMIC and the PT_LOAD segments. */
import { cString, type ElfFrame, elfConstants, maxStringBytes } from "./parseElf.ts";

/** One entry of the dynamic section. */
export interface DynamicEntry {
  readonly tag: number;
  readonly value: number;
  /** Where the entry is in the file. */
  readonly offset: number;
}

/** More entries than any linker writes: a hostile file must not make us loop over gigabytes. */
const maxEntries = 65_536;

/** File offset of a virtual address by the PT_LOAD segment whose file part holds it; undefined when none does. */
export function fileOffsetOf(frame: ElfFrame, address: number): number | undefined {
  for (const segment of frame.segments ?? []) {
    if (segment.type !== elfConstants.PT_LOAD) continue;
    if (address >= segment.address && address - segment.address < segment.fileSize) {
      return segment.offset + (address - segment.address);
    }
  }
  return undefined;
}

/**
 * The entries before DT_NULL, in order.
 *
 * @returns undefined when there is no dynamic section in the file
 */
export function readDynamicEntries(frame: ElfFrame): DynamicEntry[] | undefined {
  const segment = frame.segments?.find((s) => s.type === elfConstants.PT_DYNAMIC && s.fileSize > 0);
  if (segment === undefined || segment.offset >= frame.bytes.length) return undefined;
  const { fields } = frame;
  const size = fields.bits / 4;
  const end = Math.min(segment.offset + segment.fileSize, frame.bytes.length);
  const entries: DynamicEntry[] = [];
  for (let offset = segment.offset; offset + size <= end && entries.length < maxEntries; offset += size) {
    const tag = fields.native(offset);
    if (tag === elfConstants.DT_NULL) break;
    entries.push({ tag, value: fields.native(offset + size / 2), offset });
  }
  return entries;
}

/** Bytes read for the strings of one file together: strings may overlap, and so multiply a hostile file's size. */
const maxSearchedBytes = 16 * 1024 * 1024;

/**
 * The string table of the dynamic section.
 *
 * @returns a function from an offset in it to the string (UTF-8), undefined when it is not wholly inside
 */
export function dynamicStrings(
  frame: ElfFrame,
  entries: readonly DynamicEntry[],
): (offset: number) => string | undefined {
  const address = entries.find((entry) => entry.tag === elfConstants.DT_STRTAB)?.value;
  const start = address === undefined ? undefined : fileOffsetOf(frame, address);
  if (start === undefined) return () => undefined;
  const size = entries.find((entry) => entry.tag === elfConstants.DT_STRSZ)?.value ?? 0;
  const end = Math.min(start + size, frame.bytes.length);
  let budget = maxSearchedBytes;
  return (offset) => {
    if (budget <= 0) return undefined;
    const string = cString(frame.bytes, start + offset, end);
    budget -=
      string === undefined ? Math.min(maxStringBytes, Math.max(0, end - start - offset)) : string.length;
    return string?.toString("utf8");
  };
}
