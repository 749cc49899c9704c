/** The inventory of a layer, gathered while its entries pass by. */
import { contentOf, readContent } from "../archive/content.ts";
import type { EntryStream, FileEntry } from "../archive/entry.ts";
import type { Inventory, InventoryEntry } from "../archive/inventory.ts";
import { parentDirectory, parentsOf } from "../archive/writeFragment.ts";
import { isElf, readElfInfo } from "../elf/readElf.ts";

/** Longest `#!` line recorded, in bytes: what Linux reads. */
const maxShebang = 256;

/** Texts that are kept: the loader's configuration, to make the image's cache, and what says which distribution it is. */
const keptTexts = /^(?:etc\/ld\.so\.conf(?:\.d\/[^/]+\.conf)?|(?:etc|usr\/lib)\/os-release)$/;
const maxTextBytes = 64 * 1024;
/** Of texts that a caller asks for. */
const maxWantedText = 16 * 2 ** 20;

/** Entries passing by, and what they were. */
export interface Collected {
  /** The entries given, missing directories perhaps added (mode 0755, root's); to be read once. */
  readonly entries: EntryStream;
  /** What passed so far, sorted by path; of entries of the same path the last. */
  readonly inventory: () => Inventory;
}

/**
 * Gathers the inventory of `entries`. ELF files are read into memory one at a time; other content is passed on.
 * @param options `addParents`: whether missing directories are added (the default); `texts`: what other files are kept as text,
 *   whatever their size
 */
export function collectInventory(
  entries: EntryStream,
  options: { readonly addParents?: boolean; readonly texts?: RegExp } = {},
): Collected {
  const seen = new Map<string, InventoryEntry>();
  async function* passing(): EntryStream {
    for await (const entry of entries) {
      for (const parent of options.addParents === false ? [] : parentsOf(entry.path)) {
        if (seen.has(parent)) continue;
        seen.set(parent, { path: parent, type: "directory", mode: 0o755, size: 0 });
        yield parentDirectory(parent);
      }
      const { path, mode } = entry;
      if (entry.type === "file") {
        const { file, facts } = await inspect(entry, options.texts);
        seen.set(path, { path, type: "file", mode, size: entry.size, ...facts });
        yield file;
        continue;
      }
      seen.set(path, {
        path,
        type: entry.type,
        mode,
        size: 0,
        ...(entry.type === "directory" ? {} : { target: entry.target }),
      });
      yield entry;
    }
  }
  return { entries: passing(), inventory: () => sortedInventory(seen.values()) };
}

/** An inventory of these entries, sorted by path. */
export function sortedInventory(entries: Iterable<InventoryEntry>): Inventory {
  return { entries: [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)) };
}

/** Looks at the beginning of a file, and at all of it when it is ELF. */
async function inspect(
  entry: FileEntry,
  texts: RegExp | undefined,
): Promise<{ file: FileEntry; facts: Pick<InventoryEntry, "elf" | "shebang" | "text"> }> {
  if (
    (keptTexts.test(entry.path) && entry.size <= maxTextBytes) ||
    (texts?.test(entry.path) === true && entry.size <= maxWantedText)
  ) {
    const bytes = await readContent(entry);
    return { file: { ...entry, content: contentOf(bytes) }, facts: { text: bytes.toString("latin1") } };
  }
  if (entry.size < 4) return { file: entry, facts: {} };
  const iterator = entry.content[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) return { file: { ...entry, content: contentOf(new Uint8Array()) }, facts: {} };
  let head = first.value;
  const wanted = Math.min(maxShebang, entry.size);
  while (head.length < wanted) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const file: FileEntry = { ...entry, content: continued(head, iterator) };
  if (isElf(head)) {
    const bytes = await readContent(file);
    const elf = readElfInfo(bytes);
    return {
      file: { ...entry, content: contentOf(bytes) },
      facts: elf === undefined ? {} : { elf },
    };
  }
  const shebang = (entry.mode & 0o111) === 0 ? undefined : shebangOf(head);
  return { file, facts: shebang === undefined ? {} : { shebang } };
}

async function* continued(
  head: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  yield head;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function shebangOf(head: Uint8Array): string | undefined {
  if (head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  const line = Buffer.from(head.subarray(2, maxShebang)).toString("latin1");
  return line.split("\n", 1)[0]?.replace(/\r$/, "");
}
