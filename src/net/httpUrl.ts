import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";

/** A request target without credentials in its URL. */
export interface PreparedUrl {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Moves user name and password of a URL into a Basic `Authorization` header (unless one is given), drops the fragment,
 * and adds the headers every request has.
 *
 * @throws NETWORK when the text is no http or https URL
 */
export function prepareUrl(
  text: string,
  headers: Readonly<Record<string, string>>,
  userAgent: string,
): PreparedUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new SpacktainersError("NETWORK", "not an http or https URL", { place: { url: redactUrl(text) } });
  const all: Record<string, string> = {
    "user-agent": userAgent,
    // What is stored is what we verify: no compression on the way.
    "accept-encoding": "identity",
    ...headers,
  };
  if (url.username !== "" && all.authorization === undefined) {
    const pair = `${decode(url.username)}:${decode(url.password)}`;
    all.authorization = `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
  }
  url.username = "";
  url.password = "";
  url.hash = "";
  return { url: url.href, headers: all };
}

/** Whether credentials for one URL may be sent to the other: scheme, host and port agree. */
export function sameOrigin(a: URL, b: URL): boolean {
  return a.origin === b.origin;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
