/** Relocation of strings inside binaries by Spack's rule (`docs/formats.md`, "Strings in binaries"). */
import { SpacktainersError } from "../util/errors.ts";
import type { PrefixPair, PrefixSearch } from "./prefixSearch.ts";

const slash = 0x2f;

/**
 * Linkers let strings share their tails: the last bytes of a C string may be another string too. So many of them must
 * keep place and content, or stay behind an early NUL.
 */
export const suffixSafety = 7;

/**
 * Replaces old prefixes in a binary, in place, without moving a byte of anything else.
 *
 * The new prefix is padded with slashes in front, so that what follows stays where it is; only when the string ends
 * within {@link suffixSafety} bytes, and the two prefixes differ in the bytes that may be shared, the string is
 * shortened instead: new prefix, rest and its NUL, then whatever stood there.
 *
 * @param data the whole file; changed
 * @returns number of replacements
 * @throws SpacktainersError PREFIX_TOO_LONG when a prefix would grow, RELOCATION_FAILED when a string can be neither
 *   padded nor shortened. `data` may then be half changed.
 */
export function relocateBinary(data: Buffer, search: PrefixSearch): number {
  const nextHit = search.start(data);
  let count = 0;
  for (let hit = nextHit(0); hit !== undefined; count++) {
    const { at, pair } = hit;
    const afterPrefix = at + pair.from.length;
    const suffix = suffixLength(data, afterPrefix);
    const shorter = pair.from.length - pair.to.length;
    if (shorter < 0) throw cannotGrow(pair, at);
    if (suffix === undefined || sameTail(pair, suffixSafety - suffix)) {
      data.fill(slash, at, at + shorter);
      pair.to.copy(data, at + shorter);
    } else if (shorter > suffixSafety) {
      pair.to.copy(data, at);
      data.copyWithin(at + pair.to.length, afterPrefix, afterPrefix + suffix + 1);
    } else {
      throw cannotShrink(pair, at);
    }
    hit = nextHit(suffix === undefined ? afterPrefix : afterPrefix + suffix + 1);
  }
  return count;
}

/** Number of bytes before a NUL that is at most {@link suffixSafety} bytes away; undefined when there is none. */
function suffixLength(data: Buffer, start: number): number | undefined {
  const end = Math.min(start + suffixSafety + 1, data.length);
  for (let at = start; at < end; at++) if (data[at] === 0) return at - start;
  return undefined;
}

function sameTail({ from, to }: PrefixPair, length: number): boolean {
  if (length <= 0) return true;
  return from.subarray(-length).equals(to.subarray(-length));
}

function cannotGrow(pair: PrefixPair, at: number): SpacktainersError {
  return new SpacktainersError(
    "PREFIX_TOO_LONG",
    `${quote(pair.to)} (${pair.to.length} bytes) does not fit into the space of ${quote(pair.from)} ` +
      `(${pair.from.length} bytes) at byte ${at}`,
    {
      hint: "choose a shorter install root, or rebuild the package with padding (config:install_tree:padded_length)",
    },
  );
}

function cannotShrink(pair: PrefixPair, at: number): SpacktainersError {
  return new SpacktainersError(
    "RELOCATION_FAILED",
    `${quote(pair.to)} cannot safely take the place of ${quote(pair.from)} at byte ${at}: ` +
      `only ${pair.from.length - pair.to.length} bytes shorter, and another end`,
    { hint: `keep the end of the prefix, or choose one that is at least ${suffixSafety + 1} bytes shorter` },
  );
}

function quote(prefix: Buffer): string {
  return JSON.stringify(prefix.toString("utf8"));
}
