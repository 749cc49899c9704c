/** A foreign text (a server's, a program's) without the secrets that it may repeat. */
export function redactSecrets(text: string, secrets: Iterable<string>): string {
  let redacted = text;
  // What is shorter than this protects nothing, and would take ordinary words out.
  for (const secret of secrets) if (secret.length >= 4) redacted = redacted.replaceAll(secret, "***");
  return redacted;
}

/**
 * A URL fit for logs and errors: no user name or password, no query (signed URLs carry credentials there).
 *
 * @param url any URL or URL-like text; text that is no URL is returned up to its first `?`
 */
export function redactUrl(url: string): string {
  const withoutQuery = url.split(/[?#]/, 1)[0] ?? "";
  // A linear scan rather than a regular expression over the whole: URLs come from servers.
  const scheme = withoutQuery.indexOf("://");
  if (scheme < 0) return withoutQuery;
  const rest = withoutQuery.slice(scheme + 3);
  const slash = rest.indexOf("/");
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  const at = authority.lastIndexOf("@");
  if (at < 0 && url.includes("@") && !URL.canParse(url)) {
    // A password with a slash or a question mark in it: all that may belong to it goes.
    return `${withoutQuery.slice(0, scheme + 3)}${url.slice(url.lastIndexOf("@") + 1).split(/[?#]/, 1)[0] ?? ""}`;
  }
  return withoutQuery.slice(0, scheme + 3) + rest.slice(at + 1);
}
