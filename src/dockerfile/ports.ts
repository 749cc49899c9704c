/** EXPOSE: `port`, `port/protocol`, `first-last/protocol`. */

const protocols: ReadonlySet<string> = new Set(["tcp", "udp", "sctp"]);
const highest = 65_535;

/**
 * Reads one word of EXPOSE.
 *
 * @returns each port as `port/protocol`; undefined if the word is not one
 */
export function parsePorts(word: string): readonly string[] | undefined {
  const [, low, high, protocol = ""] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([A-Za-z]*))?$/.exec(word) ?? [];
  if (low === undefined) return undefined;
  const name = protocol === "" ? "tcp" : protocol.toLowerCase();
  const [first, last] = [Number(low), Number(high ?? low)];
  if (!protocols.has(name) || last > highest || last < first) return undefined;
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${name}`);
}
