/** Package URLs (ECMA-427; `purl-spec`, "How to build purl string from its components"). */

/** What a package URL is made of. */
export interface PurlParts {
  readonly type: string;
  readonly namespace?: string;
  readonly name: string;
  readonly version?: string;
  /** Without those that are undefined or empty. */
  readonly qualifiers?: Readonly<Record<string, string | undefined>>;
}

/** The canonical text of a package URL. Names are written as given: what a type wants in lower case must be so already. */
export function purl(parts: PurlParts): string {
  const namespace =
    parts.namespace === undefined ? "" : `${parts.namespace.split("/").map(encoded).join("/")}/`;
  const version = parts.version === undefined ? "" : `@${encoded(parts.version)}`;
  const qualifiers = Object.entries(parts.qualifiers ?? {})
    .flatMap(([key, value]) => (value === undefined || value === "" ? [] : [`${key}=${encoded(value)}`]))
    .sort()
    .join("&");
  const query = qualifiers === "" ? "" : `?${qualifiers}`;
  return `pkg:${parts.type}/${namespace}${encoded(parts.name)}${version}${query}`;
}

/** Percent-encoding of all but unreserved characters (RFC 3986) and the colon. */
function encoded(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%3A", ":");
}
