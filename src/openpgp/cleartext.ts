/** The frame of an OpenPGP cleartext signature (RFC 9580, section 7), taken strictly: one message and nothing around it. */
import { type Place, SpacktainersError } from "../util/errors.ts";

const beginMessage = "-----BEGIN PGP SIGNED MESSAGE-----";
const beginSignature = "-----BEGIN PGP SIGNATURE-----";
const endSignature = "-----END PGP SIGNATURE-----";

/** A cleartext message taken apart. Nothing in it is trusted before the signature is verified. */
export interface CleartextFrame {
  /** The text as signed: lines joined by `\n`, dash-escapes undone, blanks at line ends removed. */
  readonly text: string;
  /** Names of hash algorithms that the message announces (`SHA512`); empty when it announces none. */
  readonly hashes: readonly string[];
  /** The signature, in its armour. */
  readonly signature: string;
}

/** True when the text claims to be clear-signed: its first line that is not blank says so. */
export function looksClearSigned(text: string): boolean {
  return text.trimStart().startsWith("-----BEGIN PGP");
}

/**
 * Takes a clear-signed text apart.
 *
 * @param place where it comes from
 * @throws SIGNATURE_INVALID when it is not exactly one clear-signed message with blank lines at most around it
 */
export function parseCleartext(source: string, place: Place): CleartextFrame {
  const fail = (what: string): never => {
    throw new SpacktainersError("SIGNATURE_INVALID", `not one clear-signed message: ${what}`, {
      place,
      hint: "it is damaged, or was changed after it was signed",
    });
  };
  const lines = source.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  let at = 0;
  while (at < lines.length && lines[at]?.trim() === "") at++;
  if (lines[at] !== beginMessage) fail("it does not begin with its marker");
  at++;
  const hashes: string[] = [];
  for (; at < lines.length && lines[at]?.trim() !== ""; at++) {
    const names = /^Hash: ([A-Za-z0-9, -]{1,200})$/.exec(lines[at] ?? "")?.[1];
    if (names === undefined) fail("it has an unknown header");
    else hashes.push(...names.split(",").map((name) => name.trim().toUpperCase()));
  }
  const textStart = ++at;
  while (at < lines.length && lines[at] !== beginSignature) {
    const line = lines[at] ?? "";
    if (line.startsWith("-") && !line.startsWith("- ")) fail("a line begins with an unescaped dash");
    at++;
  }
  if (at >= lines.length) fail("it has no signature");
  const signatureStart = at;
  const text = lines
    .slice(textStart, at)
    .map((line) => trimLineEnd(line.startsWith("- ") ? line.slice(2) : line))
    .join("\n");
  at++;
  while (at < lines.length && lines[at] !== endSignature) {
    if (lines[at]?.startsWith("-")) fail("its signature is not closed");
    at++;
  }
  if (at >= lines.length) fail("its signature is not closed");
  const last = at;
  for (at++; at < lines.length; at++) if (lines[at]?.trim() !== "") fail("there is text after it");
  return { text, hashes, signature: `${lines.slice(signatureStart, last + 1).join("\n")}\n` };
}

function trimLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && " \t\r".includes(line[end - 1] ?? "x")) end--;
  return line.slice(0, end);
}
