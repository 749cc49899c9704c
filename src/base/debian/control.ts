/** Debian control data (deb822(5)): paragraphs of `Field: value`, continued on lines that begin with a blank. */

/** One paragraph; field names in lower case, continuation lines joined by a line feed. */
export type ControlParagraph = ReadonlyMap<string, string>;

/**
 * Parses control data. Lines that are neither a field nor a continuation are ignored, as are comments; of a field given
 * twice the first counts.
 */
export function parseControl(text: string): ControlParagraph[] {
  const paragraphs: Map<string, string>[] = [];
  let paragraph = new Map<string, string>();
  let field: string | undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) continue;
    if (line.trim() === "") {
      if (paragraph.size > 0) paragraphs.push(paragraph);
      paragraph = new Map();
      field = undefined;
    } else if (line.startsWith(" ") || line.startsWith("\t")) {
      if (field !== undefined) paragraph.set(field, `${paragraph.get(field) ?? ""}\n${line.trim()}`);
    } else {
      const colon = line.indexOf(":");
      const name = line.slice(0, Math.max(0, colon)).toLowerCase();
      field = colon > 0 && !paragraph.has(name) ? name : undefined;
      if (field !== undefined) paragraph.set(field, line.slice(colon + 1).trim());
    }
  }
  if (paragraph.size > 0) paragraphs.push(paragraph);
  return paragraphs;
}
