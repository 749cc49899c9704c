/** HTML as values: whatever is filled in is escaped, unless it is HTML already. */

const isMarkup = Symbol("markup");

/** A piece of HTML that is safe to show. Only {@link html} and {@link trusted} make it. */
export interface Markup {
  readonly [isMarkup]: true;
  readonly text: string;
}

/** What can be filled in. Nothing is shown for `undefined` and `false`. */
export type MarkupContent = Markup | string | number | undefined | false | readonly MarkupContent[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A text for HTML and XML, inside of elements and of quoted attributes. Characters that XML does not have become `\uFFFD`. */
export function escapeMarkup(text: string): string {
  return (
    text
      .replace(/\p{Surrogate}/gu, "\uFFFD")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are meant
      .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, "\uFFFD")
      .replace(/[&<>"']/g, (char) => entities[char] ?? char)
  );
}

function rendered(content: MarkupContent): string {
  if (content === undefined || content === false) return "";
  if (typeof content === "string") return escapeMarkup(content);
  if (typeof content === "number") return String(content);
  return isList(content) ? content.map(rendered).join("") : content.text;
}

function isList(content: MarkupContent): content is readonly MarkupContent[] {
  return Array.isArray(content);
}

/** HTML with values filled in. Attributes that take one stand in double quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly MarkupContent[]): Markup {
  const text = parts.reduce((all, part, at) => all + rendered(values[at - 1]) + part);
  return { [isMarkup]: true, text };
}

/** HTML that this program has written itself. */
export function trusted(text: string): Markup {
  return { [isMarkup]: true, text };
}

/** JSON inside of a `<script type="application/json">`: nothing in it ends the element. */
export function jsonMarkup(value: unknown): Markup {
  return trusted(
    JSON.stringify(value).replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`),
  );
}

/** An address that a link may have: of the web, nothing that runs (`javascript:`) or that is on the reader's machine. */
export function webAddress(text: string | undefined): string | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const { protocol, href } = new URL(text);
  return protocol === "https:" || protocol === "http:" ? href : undefined;
}
