/** Goes through the bytes of a JSON document of which only a window is in memory. */
import { type Place, SpacktainersError } from "../../util/errors.ts";

/** Thrown at the end of the window: more bytes are needed. */
export const needMore = Symbol("more input is needed");

/** Bytes of JSON. */
export const quote = 0x22;
const backslash = 0x5c;
export const comma = 0x2c;
export const colon = 0x3a;
export const openBrace = 0x7b;
export const closeBrace = 0x7d;
export const openBracket = 0x5b;
export const closeBracket = 0x5d;

/** Deepest nesting of values that are skipped. Real nodes nest 6 deep. */
const maxDepth = 64;

/** A position in a window of bytes. What runs into the end of the window throws {@link needMore}. */
export class JsonWindow {
  protected bytes: Buffer = Buffer.alloc(0);
  protected position = 0;
  private readonly place: Place;
  private readonly strings = new Map<number, string>();

  constructor(place: Place) {
    this.place = place;
  }

  invalid(what: string): SpacktainersError {
    return new SpacktainersError("CACHE_INVALID", `the cache's index cannot be read: ${what}`, {
      place: this.place,
      hint: "the cache's maintainer can rebuild it: spacktainers cache index",
    });
  }

  /** Whether a list or object continues; takes the comma or the closing bracket. */
  protected more(closing: number, first: boolean): boolean {
    const next = this.peek();
    if (next === closing) {
      this.position++;
      return false;
    }
    if (!first) this.expect(comma);
    return true;
  }

  /** The next byte that is not white space, not taken. */
  protected peek(): number {
    const { bytes } = this;
    let at = this.position;
    for (; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
        this.position = at;
        return byte;
      }
    }
    throw needMore;
  }

  protected expect(byte: number): void {
    if (this.peek() !== byte) throw this.invalid("it is not proper JSON");
    this.position++;
  }

  /** Takes a string; returns where its content starts (it ends before the last byte taken). */
  protected string(): number {
    this.expect(quote);
    const start = this.position;
    this.position = this.stringEnd(start);
    return start;
  }

  /** Position after the closing quote of a string whose content starts at `start`. */
  private stringEnd(start: number): number {
    const { bytes } = this;
    const { length } = bytes;
    for (let at = start; at < length; at++) {
      const byte = bytes[at];
      if (byte === quote) return at + 1;
      if (byte === backslash) at++;
    }
    throw needMore;
  }

  protected stringValue(): string {
    const start = this.string();
    return this.text(start, this.position - 1);
  }

  protected text(start: number, end: number): string {
    const { bytes } = this;
    const length = end - start;
    if (length > 256) return "";
    // Few different short strings occur millions of times: each is made once.
    let sum = length;
    for (let at = start; at < end; at++) sum = (Math.imul(sum, 31) + (bytes[at] as number)) | 0;
    const known = this.strings.get(sum);
    if (known !== undefined && known.length === length && this.sameText(start, known)) return known;
    const raw = bytes.toString("utf8", start, end);
    let text = raw;
    if (raw.includes("\\")) {
      try {
        text = JSON.parse(`"${raw}"`) as string;
      } catch {
        throw this.invalid("it is not proper JSON");
      }
    } else if (this.strings.size < 100_000) this.strings.set(sum, text);
    return text;
  }

  private sameText(start: number, text: string): boolean {
    for (let at = 0; at < text.length; at++) if (this.bytes[start + at] !== text.charCodeAt(at)) return false;
    return true;
  }

  protected is(start: number, end: number, key: Uint8Array): boolean {
    if (end - start !== key.length) return false;
    for (let at = 0; at < key.length; at++) if (this.bytes[start + at] !== key[at]) return false;
    return true;
  }

  /** Passes over any value; its structure is not checked beyond matching brackets. `position` is at its first byte. */
  protected skipValue(): void {
    const { bytes } = this;
    const { length } = bytes;
    let at = this.position;
    let depth = 0;
    while (at < length) {
      const byte = bytes[at] as number;
      if (byte === quote) {
        at = this.stringEnd(at + 1);
        if (depth === 0) break;
      } else if (byte === openBrace || byte === openBracket) {
        if (++depth > maxDepth) throw this.invalid("it is nested too deep");
        at++;
      } else if (byte === closeBrace || byte === closeBracket) {
        // The end of a number or literal that stands in an outer list.
        if (depth === 0) break;
        at++;
        if (--depth === 0) break;
      } else if (byte === comma && depth === 0) break;
      else at++;
    }
    if (at >= length) throw needMore;
    if (at === this.position) throw this.invalid("it is not proper JSON");
    this.position = at;
  }
}
