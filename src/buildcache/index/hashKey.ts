/** DAG hashes as numbers: 32 base32 characters are 160 bits, kept as five 32-bit words that compare like the text. */

/** Words of a hash. */
export const hashWords = 5;

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
const values = new Int8Array(256).fill(-1);
// Spack's base32 puts digits after letters, ASCII before them: digits get the low values here, so that words sort as text does.
const order = [...alphabet].sort();
for (const [value, character] of order.entries()) values[character.charCodeAt(0)] = value;

/**
 * Puts the words of a hash into `target` at `at`.
 *
 * @param text 32 bytes of ASCII
 * @returns false, and nothing written that counts, when it is not a hash
 */
export function packHash(text: Uint8Array, target: Uint32Array, at: number): boolean {
  if (text.length !== 32) return false;
  let bits = 0;
  let word = 0;
  let filled = 0;
  for (let index = 0; index < 32; index++) {
    const value = values[text[index] as number] as number;
    if (value < 0) return false;
    const room = 32 - filled;
    if (room > 5) {
      bits = (bits << 5) | value;
      filled += 5;
    } else {
      // The five bits end this word, and what is left of them begins the next.
      const left = 5 - room;
      target[at + word++] = ((bits << room) | (value >>> left)) >>> 0;
      bits = value & ((1 << left) - 1);
      filled = left;
    }
  }
  return true;
}

/** The text of the hash whose words are at `at`. */
export function unpackHash(words: Uint32Array, at: number): string {
  let text = "";
  for (let index = 0; index < 32; index++) {
    const bit = index * 5;
    const word = bit >>> 5;
    const shift = 27 - (bit & 31);
    const high = words[at + word] as number;
    const value =
      shift >= 0 ? high >>> shift : (high << -shift) | ((words[at + word + 1] as number) >>> (32 + shift));
    text += order[value & 31];
  }
  return text;
}

/** Negative, zero or positive as the hash at `i` of `a` sorts before, with or after the one at `j` of `b`. */
export function compareHashes(a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  for (let word = 0; word < hashWords; word++) {
    const difference = (a[i + word] as number) - (b[j + word] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
