/**
 * Foreign text on its way to a terminal. Names in archives, caches and servers' answers may hold escape sequences that
 * move the cursor, hide lines or change the window's title, and marks that turn the reading direction round.
 */

/**
 * Control characters other than line feed and tab (ECMA-48: C0, DEL, C1), line and paragraph separators, and the marks of
 * bidirectional text (Unicode 15, 23.2).
 */
const unsafe = /(?![\n\t])\p{Cc}|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** The text with what could act on a terminal written as `\u001b`; line feeds and tabs stay. Inside JSON it means the same. */
export function escapeControls(text: string): string {
  return text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** As {@link escapeControls}, for what must stay on one line. */
export function escapeControlsInLine(text: string): string {
  return escapeControls(text).replaceAll("\n", "\\n").replaceAll("\t", " ");
}
