/** Refusing an install root that is too long before any work is done for it. */
import { SpacktainersError } from "../util/errors.ts";

/** A prefix that is to be replaced. */
export interface PrefixChange {
  readonly name: string;
  readonly hash: string;
  readonly oldPrefix: string;
  readonly newPrefix: string;
}

/** Roots that may be suggested, longest first. */
const suggestions = ["/opt/software", "/opt/spack", "/opt/sw", "/opt", "/sw", "/s"];
/** Packages named in the message; the rest is counted. */
const mostNamed = 10;

/**
 * Checks that no prefix has to grow: strings inside binaries cannot. Lengths are in bytes.
 *
 * @param root the new install root, for the hint
 * @throws SpacktainersError PREFIX_TOO_LONG, one for all packages concerned, with the numbers
 */
export function checkPrefixLengths(packages: readonly PrefixChange[], root: string): void {
  const growing = packages
    .map((change) => ({ ...change, by: bytes(change.newPrefix) - bytes(change.oldPrefix) }))
    .filter(({ by }) => by > 0)
    .sort((a, b) => b.by - a.by || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const [worst] = growing;
  if (worst === undefined) return;
  const named = growing
    .slice(0, mostNamed)
    .map(
      ({ name, hash, newPrefix, oldPrefix }) =>
        `${name}/${hash.slice(0, 7)} (${bytes(newPrefix)} bytes for ${bytes(oldPrefix)})`,
    );
  const rest = growing.length - named.length;
  const list = named.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
  const most = bytes(root) - worst.by;
  const fitting = suggestions.find((suggestion) => suggestion.length <= most);
  const what = growing.length === 1 ? "a new prefix is longer" : `${growing.length} new prefixes are longer`;
  throw new SpacktainersError("PREFIX_TOO_LONG", `${what} than the old: ${list}`, {
    hint:
      fitting === undefined
        ? "no install root is short enough: rebuild the packages with padding (config:install_tree:padded_length)"
        : `choose an install root of at most ${most} bytes, such as ${fitting}; ${root} has ${bytes(root)}`,
  });
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}
