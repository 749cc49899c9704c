/** The symbols by which an ELF file and others find one another at run time. Source: gABI, "Symbol Table". */
import { dynamicStrings, fileOffsetOf, readDynamicEntries } from "./dynamicSection.ts";
import { cString, type ElfFrame, elfConstants, parseElf } from "./parseElf.ts";

/** A symbol of the dynamic symbol table. */
export interface DynamicSymbol {
  readonly name: string;
  /** Defined in this file; otherwise it is looked for in others. */
  readonly defined: boolean;
  /** Address. */
  readonly value: number;
}

/** The symbols of one file, and the texts that some of them name. */
export interface DynamicSymbols {
  readonly byName: ReadonlyMap<string, DynamicSymbol>;
  /** The NUL-terminated text at a symbol that is defined here; undefined when there is none. */
  text(name: string): string | undefined;
}

/** More than any library has. */
const maxSymbols = 1_000_000;

/**
 * Reads the dynamic symbols of an ELF file. The table's end is not recorded anywhere that the loader reads; linkers put the table of
 * strings right after it, and where they do not, nothing is found.
 *
 * @param bytes the whole file; a malformed one has no symbols
 */
export function readDynamicSymbols(bytes: Uint8Array): DynamicSymbols {
  const frame = parseElf(bytes);
  const byName = new Map<string, DynamicSymbol>();
  if (frame === undefined) return { byName, text: () => undefined };
  for (const symbol of symbolsOf(frame)) byName.set(symbol.name, symbol);
  return {
    byName,
    text(name) {
      const symbol = byName.get(name);
      if (symbol?.defined !== true) return undefined;
      const offset = fileOffsetOf(frame, symbol.value);
      return offset === undefined ? undefined : cString(frame.bytes, offset)?.toString("latin1");
    },
  };
}

function* symbolsOf(frame: ElfFrame): Generator<DynamicSymbol> {
  const entries = readDynamicEntries(frame) ?? [];
  const address = (tag: number): number | undefined => {
    const value = entries.find((entry) => entry.tag === tag)?.value;
    return value === undefined ? undefined : fileOffsetOf(frame, value);
  };
  const start = address(elfConstants.DT_SYMTAB);
  const strings = address(elfConstants.DT_STRTAB);
  if (start === undefined || strings === undefined || strings < start) return;
  const wide = frame.fields.bits === 64;
  const size = wide ? 24 : 16;
  const end = Math.min(strings, frame.bytes.length, start + maxSymbols * size);
  const stringAt = dynamicStrings(frame, entries);
  for (let at = start; at + size <= end; at += size) {
    const name = stringAt(frame.fields.word(at));
    if (name === undefined || name === "") continue;
    yield {
      name,
      defined: frame.fields.half(at + (wide ? 6 : 14)) !== 0,
      value: frame.fields.native(at + (wide ? 8 : 4)),
    };
  }
}
