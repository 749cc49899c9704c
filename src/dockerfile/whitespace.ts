/** What the Dockerfile language takes for white space (Go's `unicode.IsSpace`): not the same set as JavaScript's `\s`. */

const spaces = /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/;

/** True for one character of white space. */
export function isSpace(character: string): boolean {
  return spaces.test(character);
}

/** The text without white space at its beginning. */
export function trimStart(text: string): string {
  let at = 0;
  while (at < text.length && isSpace(text.charAt(at))) at++;
  return text.slice(at);
}

/** The text without white space at either end. */
export function trim(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charAt(end - 1))) end--;
  return trimStart(text.slice(0, end));
}
