/** JSON documents as text: their parts as they stand there, so that what is copied stays what it was to the last byte. */

const token = /"(?:[^"\\]|\\.)*"|\s+|[{}[\],:]|[^\s"{}[\],:]+/gs;

/**
 * The members of an object, in their order, each with the text of its value, without space around it.
 *
 * @param text an object in valid JSON; nothing is checked here
 */
export function jsonMembers(text: string): readonly (readonly [name: string, value: string])[] {
  return partsOf(text).map((part) => {
    const name = /^"(?:[^"\\]|\\.)*"/s.exec(part)?.[0] ?? '""';
    return [JSON.parse(name) as string, part.slice(part.indexOf(":", name.length) + 1).trim()];
  });
}

/** The items of a list as they stand in its text, without space around them. The text is valid JSON. */
export function jsonItems(text: string): readonly string[] {
  return partsOf(text);
}

/** The text without space between its parts. */
export function compactJson(text: string): string {
  return text.replaceAll(token, (part) => (/^\s/.test(part) ? "" : part));
}

/**
 * The text with every part on a line of its own, as Python writes it with `indent=0`: GnuPG cuts lines of 20 000 characters off
 * where it signs a text.
 */
export function linedJson(text: string): string {
  const parts = compactJson(text).match(token) ?? [];
  return parts
    .map((part, at) => {
      if (part === ",") return ",\n";
      if (part === "{" || part === "[") return /^[}\]]/.test(parts[at + 1] ?? "") ? part : `${part}\n`;
      if (part === "}" || part === "]") return /^[{[]/.test(parts[at - 1] ?? "") ? part : `\n${part}`;
      return part;
    })
    .join("");
}

/** What lies between the commas of the outermost list or object. */
function partsOf(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (const { 0: part, index } of text.matchAll(token)) {
    if (part === "{" || part === "[") {
      if (depth++ === 0) from = index + 1;
    } else if (part === "}" || part === "]") {
      if (--depth > 0) continue;
      const last = text.slice(from, index).trim();
      if (last !== "") parts.push(last);
      break;
    } else if (part === "," && depth === 1) {
      parts.push(text.slice(from, index).trim());
      from = index + 1;
    }
  }
  return parts;
}
