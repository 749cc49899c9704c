/** The `ar` archive, as `.deb` packages use it (deb(5); common format with GNU and BSD long names). */
import { type Place, SpacktainersError } from "../util/errors.ts";
import { printable } from "./names.ts";

/** Where a member of an `ar` archive lies in its file. */
export interface ArMember {
  readonly name: string;
  /** First byte of the content, from the beginning of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** Reads `length` bytes at `offset`; fewer only where the file ends. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

const magic = "!<arch>\n";
const headerSize = 60;
/** A `.deb` has three or four members. */
const maxMembers = 1000;

/**
 * Lists the members of an `ar` archive. Symbol and name tables are not listed. Contents are not read.
 *
 * @param readAt access to the file
 * @param size length of the file in bytes
 * @throws SpacktainersError ARCHIVE_INVALID (malformed, cut off, too many members), ARCHIVE_UNSAFE (a name with a slash)
 */
export async function listAr(readAt: ReadAt, size: number, where: Place = {}): Promise<readonly ArMember[]> {
  const invalid = (what: string): SpacktainersError =>
    new SpacktainersError("ARCHIVE_INVALID", `the ar archive is not valid: ${what}`, { place: where });
  if (latin1(await readAt(0, magic.length)) !== magic) throw invalid("it does not start with an ar header");
  const members: ArMember[] = [];
  let names = "";
  for (let at = magic.length; at < size; ) {
    const header = latin1(await readAt(at, headerSize));
    if (header.length !== headerSize) throw invalid("it is cut off");
    if (header.slice(58) !== "`\n") throw invalid(`there is no member at byte ${at}`);
    const length = /^(\d{1,10}) *$/.exec(header.slice(48, 58))?.[1];
    if (length === undefined) throw invalid(`a member's size is not a number at byte ${at}`);
    const bytes = Number(length);
    const content = at + headerSize;
    if (content + bytes > size) throw invalid("it is cut off");
    if (members.length >= maxMembers) throw invalid("it has too many members");
    const raw = header.slice(0, 16).trimEnd();
    at = content + bytes + (bytes % 2);
    if (raw === "//") {
      if (bytes > 2 ** 20) throw invalid("its table of names is too large");
      names = latin1(await readAt(content, bytes));
      continue;
    }
    if (raw === "/" || raw === "/SYM64/" || raw.startsWith("__.SYMDEF")) continue;
    const bsd = /^#1\/(\d{1,4})$/.exec(raw)?.[1];
    if (bsd !== undefined) {
      const nameLength = Number(bsd);
      if (nameLength > bytes) throw invalid("a member is shorter than its name");
      const name = untilNul(latin1(await readAt(content, nameLength)));
      members.push({ name: safe(name, where), offset: content + nameLength, size: bytes - nameLength });
      continue;
    }
    const gnu = /^\/(\d{1,10})$/.exec(raw)?.[1];
    const name = gnu === undefined ? raw : longName(names, Number(gnu));
    if (name === undefined) throw invalid("a member's name is not in the table of names");
    members.push({
      name: safe(name.endsWith("/") ? name.slice(0, -1) : name, where),
      offset: content,
      size: bytes,
    });
  }
  return members;
}

function longName(names: string, start: number): string | undefined {
  if (start >= names.length) return undefined;
  const end = names.indexOf("\n", start);
  return names.slice(start, end < 0 ? names.length : end);
}

function safe(name: string, where: Place): string {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
    throw new SpacktainersError("ARCHIVE_UNSAFE", `the ar archive has a member named ${printable(name)}`, {
      place: where,
      hint: "the archive is damaged or hostile; spacktainers used none of it",
    });
  }
  return name;
}

function untilNul(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
