/** Relocation of text files by Spack's rule (`docs/formats.md`, "Text files"). */
import type { PrefixSearch } from "./prefixSearch.ts";

const slash = 0x2f;

/** Bytes of a word: letters, digits, `_` and `-`, in ASCII. */
const isWord = new Uint8Array(256);
/** Bytes that continue a path after a prefix: those of a word, and `/`. */
const isPath = new Uint8Array(256);
for (const character of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") {
  isWord[character.charCodeAt(0)] = 1;
  isPath[character.charCodeAt(0)] = 1;
}
isPath[slash] = 1;

/**
 * Replaces old prefixes in a text.
 *
 * A prefix counts where the word that ends right before it (which may be empty) does not itself follow a slash: so
 * `-L/old/lib` and `x/old/lib` are changed, `//old/lib` and `/x/old/lib` are not. The rest of the path after a prefix is
 * skipped, so that an old prefix inside it stays. There is no condition on what follows a prefix.
 *
 * @param data the whole file
 * @param search prefixes that begin with a byte that is not of a word (`/`, `#`)
 * @returns the new bytes; `data` itself when there is nothing to change
 */
export function relocateText(data: Buffer, search: PrefixSearch): Buffer {
  const nextHit = search.start(data);
  const parts: Buffer[] = [];
  /** Everything before it is in `parts`. */
  let copied = 0;
  /** Where the path of the last replacement ended. */
  let passed = 0;
  let hit = nextHit(0);
  while (hit !== undefined) {
    const { at, pair } = hit;
    let wordStart = at;
    while (wordStart > 0 && isWord[data[wordStart - 1] ?? 0] === 1) wordStart--;
    if (wordStart >= passed && (wordStart === 0 || data[wordStart - 1] !== slash)) {
      parts.push(data.subarray(copied, at), pair.to);
      copied = at + pair.from.length;
      passed = copied;
      while (passed < data.length && isPath[data[passed] ?? 0] === 1) passed++;
      hit = nextHit(passed);
    } else {
      hit = nextHit(at + 1);
    }
  }
  if (parts.length === 0) return data;
  parts.push(data.subarray(copied));
  return Buffer.concat(parts);
}
