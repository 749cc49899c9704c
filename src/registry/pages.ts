/** Lists that a registry gives page by page, joined by `Link` headers (RFC 8288, `rel="next"`). */
import { withRetries } from "../net/retry.ts";
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { acceptUrl } from "./address.ts";
import { readBody } from "./readBody.ts";
import type { RegistryRequest, RegistrySession } from "./session.ts";

/** Longest page, in bytes. */
const maxPageBytes = 8 * 2 ** 20;
const maxPages = 1000;

/** One page; `status` is that of an expected refusal, then the body is of no use. */
export interface Page {
  readonly status: number;
  readonly url: string;
  readonly bytes: Buffer;
  header(name: string): string | undefined;
}

/**
 * The pages of a list, one after the other.
 *
 * @param request for the first page
 * @throws NETWORK when there are more than 1000, when they go in a circle, or lead to another server
 */
export async function* readPages(
  session: RegistrySession,
  request: Omit<RegistryRequest, "method" | "body">,
): AsyncGenerator<Page, void, undefined> {
  const seen = new Set<string>();
  let url: string | undefined = request.url;
  while (url !== undefined) {
    const place = { url: redactUrl(new URL(url, session.origin).href) };
    if (seen.has(url) || seen.size >= maxPages)
      throw new SpacktainersError("NETWORK", "the registry's list does not end", { place });
    seen.add(url);
    const page = await readPage(session, { ...request, url });
    yield page;
    const next = nextLink(page.header("link"));
    url = next === undefined ? undefined : acceptUrl(next, page.url, "a next page");
    if (url !== undefined && new URL(url).origin !== session.origin)
      throw new SpacktainersError("NETWORK", "the registry's list continues at another server", { place });
  }
}

async function readPage(
  session: RegistrySession,
  request: Omit<RegistryRequest, "method" | "body">,
): Promise<Page> {
  const full = new URL(request.url, session.origin).href;
  return withRetries(session.policy, full, async () => {
    const answer = await session.attempt({ ...request, method: "GET" });
    const { status } = answer;
    const header = (name: string): string | undefined => answer.header(name);
    if (status < 200 || status >= 300) {
      await answer.discard();
      return { status, url: full, bytes: Buffer.alloc(0), header: () => undefined };
    }
    const bytes = await readBody(answer, full, maxPageBytes, session.policy.signal);
    return { status, url: full, bytes, header };
  });
}

/** The target of the first link whose relation is `next`. */
export function nextLink(header: string | undefined): string | undefined {
  const text = (header ?? "").slice(0, 16_384);
  for (let at = 0; ; ) {
    const open = text.indexOf("<", at);
    const close = open < 0 ? -1 : text.indexOf(">", open);
    if (close < 0) return undefined;
    const following = text.indexOf("<", close);
    const parameters = text.slice(close + 1, following < 0 ? undefined : following);
    if (
      /;\s{0,8}rel\s{0,8}=\s{0,8}(?:"(?:[^"]{0,200} )?next(?: [^"]{0,200})?"|next(?=[\s,;]|$))/i.test(
        parameters,
      )
    )
      return text.slice(open + 1, close);
    at = close;
  }
}
