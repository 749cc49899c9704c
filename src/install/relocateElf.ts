/** Relocation of what the loader reads in ELF files: search path and interpreter (`docs/formats.md`, "ELF"). */
import { type LocatedString, locateLoaderStrings, overwriteString } from "../elf/loaderStrings.ts";
import { asBuffer } from "../elf/parseElf.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { PrefixSearch } from "./prefixSearch.ts";

const colon = ":".charCodeAt(0);
const dollar = "$".charCodeAt(0);
const slash = "/".charCodeAt(0);

/**
 * Replaces old prefixes at the start of each item of DT_RPATH or DT_RUNPATH, and of PT_INTERP, in place. When an item
 * changes, empty items are dropped; what is left over of the old string becomes NULs.
 *
 * @param data the whole file; changed
 * @returns whether anything was changed
 * @throws SpacktainersError PREFIX_TOO_LONG when a string would grow (Spack would call patchelf here, which moves
 *   segments; we refuse)
 */
export function relocateElf(data: Uint8Array, search: PrefixSearch): boolean {
  const strings = locateLoaderStrings(data);
  if (strings === undefined) return false;
  const edits: [LocatedString, Buffer][] = [];
  if (strings.runPath !== undefined) {
    const path = relocatePath(strings.runPath.bytes, search);
    if (path !== undefined) edits.push([strings.runPath, path]);
  }
  if (strings.interpreter !== undefined) {
    const interpreter = relocateStart(strings.interpreter.bytes, search);
    if (interpreter !== undefined) edits.push([strings.interpreter, interpreter]);
  }
  for (const [old, text] of edits) if (text.length > old.bytes.length) throw wouldGrow(old.bytes, text);
  for (const [old, text] of edits) overwriteString(asBuffer(data), old, text);
  return edits.length > 0;
}

/**
 * Removes the items of DT_RPATH or DT_RUNPATH for which there is nothing, as Spack does after every installation: items
 * that begin with `$` stay, absolute ones where something exists stay.
 *
 * @param data the whole file; changed
 * @param exists whether something is at an absolute path once everything is installed
 * @returns whether anything was changed
 */
export function dropRedundantRunPaths(data: Uint8Array, exists: (path: string) => boolean): boolean {
  const runPath = locateLoaderStrings(data)?.runPath;
  if (runPath === undefined) return false;
  const kept = splitPath(runPath.bytes).filter(
    (item) => item[0] === dollar || (item[0] === slash && exists(item.toString("utf8"))),
  );
  const text = joinPath(kept);
  if (text.equals(runPath.bytes)) return false;
  overwriteString(asBuffer(data), runPath, text);
  return true;
}

/** The bytes with a prefix at their start replaced; undefined when there is none. */
export function relocateStart(text: Buffer, search: PrefixSearch): Buffer | undefined {
  const pair = search.matchAt(text, 0);
  return pair === undefined ? undefined : Buffer.concat([pair.to, text.subarray(pair.from.length)]);
}

function relocatePath(path: Buffer, search: PrefixSearch): Buffer | undefined {
  let changed = false;
  const items = splitPath(path)
    .filter((item) => item.length > 0)
    .map((item) => {
      const relocated = relocateStart(item, search);
      if (relocated !== undefined) changed = true;
      return relocated ?? item;
    });
  return changed ? joinPath(items) : undefined;
}

function splitPath(path: Buffer): Buffer[] {
  const items: Buffer[] = [];
  let start = 0;
  for (let end = path.indexOf(colon); end >= 0; end = path.indexOf(colon, start)) {
    items.push(path.subarray(start, end));
    start = end + 1;
  }
  items.push(path.subarray(start));
  return items;
}

function joinPath(items: readonly Buffer[]): Buffer {
  return Buffer.from(Buffer.concat(items.flatMap((item) => [Buffer.of(colon), item])).subarray(1));
}

function wouldGrow(old: Buffer, text: Buffer): SpacktainersError {
  return new SpacktainersError(
    "PREFIX_TOO_LONG",
    `the loader's path ${JSON.stringify(text.toString("utf8"))} (${text.length} bytes) does not fit into the space of ` +
      `${JSON.stringify(old.toString("utf8"))} (${old.length} bytes)`,
    {
      hint: "choose a shorter install root, or rebuild the package with padding (config:install_tree:padded_length)",
    },
  );
}
