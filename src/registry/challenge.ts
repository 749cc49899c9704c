/** The header `WWW-Authenticate` (RFC 9110, 11.6.1; for tokens the distribution project's "Token Authentication"). */

/** One way to authenticate that a server offers. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** A longer header is cut: nothing honest comes near it. */
const maxHeader = 16_384;
const maxChallenges = 16;

/**
 * Reads the challenges of a header; what cannot be read ends the list. Takes time linear in the length.
 *
 * @param header its value, several headers joined by commas
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const text = header.slice(0, maxHeader);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
  const separators = /[\s,]*/y;
  const blanks = /[ \t]*/y;
  const token68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
  let at = 0;
  const read = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  while (challenges.length <= maxChallenges) {
    read(separators);
    const name = read(token);
    if (name === undefined) break;
    const afterName = at;
    read(blanks);
    const current = challenges.at(-1);
    if (text[at] === "=" && current !== undefined) {
      at++;
      read(blanks);
      const value = text[at] === '"' ? quoted() : read(token);
      if (value === undefined) break;
      const key = name.toLowerCase();
      if (!current.parameters.has(key)) current.parameters.set(key, value);
    } else if (text[at] === "=") {
      break;
    } else {
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
      // A scheme followed by one opaque text (Negotiate) has no parameters that we could read.
      if (at > afterName) read(token68);
    }
  }
  return challenges;

  function quoted(): string | undefined {
    let value = "";
    for (let next = at + 1; next < text.length; next++) {
      const character = text[next] ?? "";
      if (character === '"') {
        at = next + 1;
        return value;
      }
      value += character === "\\" ? (text[++next] ?? "") : character;
    }
    return undefined;
  }
}
