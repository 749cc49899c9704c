/** Texts in Markdown. */

/** The items of a list, as text. */
export function listedText(value: unknown): string {
  return (Array.isArray(value) ? value : []).map(String).join(", ");
}

/** Text as code. */
export function code(text: string): string {
  return text === "" ? "" : `\`${text.replaceAll("`", "'").replaceAll("\n", " ")}\``;
}

/** Text that Markdown shows as it is. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\*[\]<>#&]|(?<!\w)_|_(?!\w)/g, "\\$&")
    .replace(/(^|\W)@/g, "$1@\u200B")
    .replaceAll(/\r?\n/g, " ");
}
