/** One HTTP exchange: any method, with a body or without, redirects followed where that is safe; the answer whatever its status. */
import type { Dispatcher } from "undici";
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { strangeAnswer, transportFailure } from "./failure.ts";
import { type PreparedUrl, prepareUrl, sameOrigin } from "./httpUrl.ts";
import { interruption } from "./retry.ts";
import { openTransport, type TransportOptions } from "./transport.ts";

/** Request headers, names in lower case. */
export type HttpHeaders = Readonly<Record<string, string>>;

export interface ExchangeOptions extends TransportOptions {
  readonly userAgent?: string;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: string;
  readonly headers?: HttpHeaders;
  /** A stream is sent with the `content-length` of the headers, or in chunks when they have none. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** Milliseconds to wait for the answer once the body is sent; default that of the transport. */
  readonly answerTimeoutMs?: number | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** Where the answer comes from, after redirects. */
  readonly url: string;
  /** A header, several of one name joined by commas; undefined when there is none. */
  header(name: string): string | undefined;
  /** Must be read to its end, returned early, or given up with {@link HttpAnswer.discard} or {@link HttpAnswer.cancel}. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Has no use for the body: a short rest is read, which keeps the connection, a long one is not. */
  discard(): Promise<void>;
  /** Ends the body at once, and with it the connection. */
  cancel(): void;
}

export interface Exchanges {
  /**
   * Sends one request, once. GET and HEAD follow up to {@link maxRedirects} redirects, never to a less secure scheme, and
   * `Authorization` and `Cookie` do not go along to another origin; the answer to other methods is given as it is.
   *
   * @throws TransientFailure when there is no answer, for a reason that may pass; NETWORK, INTERRUPTED
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Closes all connections. */
  close(): Promise<void>;
}

/** Redirects followed for one request. */
export const maxRedirects = 8;

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Connections for exchanges. Proxies come from `http_proxy`, `https_proxy` and `no_proxy`. */
export function openExchanges(options: ExchangeOptions = {}): Exchanges {
  const transport = openTransport(options);
  return {
    async send({ method, url, headers = {}, body, answerTimeoutMs }) {
      const { undici, dispatcher } = await transport();
      let target = prepareUrl(url, headers, options.userAgent ?? "spacktainers");
      for (let hops = 0; ; hops++) {
        if (options.signal?.aborted) throw interruption(options.signal, url);
        const response = await undici
          .request(target.url, {
            dispatcher,
            method,
            headers: target.headers,
            // undici takes any async iterable; its types name only some.
            body: (body ?? null) as Dispatcher.DispatchOptions["body"] & null,
            ...(answerTimeoutMs === undefined ? {} : { headersTimeout: answerTimeoutMs }),
            signal: options.signal,
          })
          .catch((thrown) => {
            throw transportFailure(thrown, url, options.signal);
          });
        const answer = answerOf(response, target.url);
        const location = answer.header("location");
        const follow = (method === "GET" || method === "HEAD") && redirects.has(answer.status);
        if (location === undefined || !follow) return answer;
        await answer.discard();
        if (hops >= maxRedirects)
          throw new SpacktainersError("NETWORK", `more than ${maxRedirects} redirects`, {
            place: { url: redactUrl(url) },
            hint: strangeAnswer,
          });
        target = redirected(target, location, url);
      }
    },
    close: () => transport.close(),
  };
}

function answerOf(response: Dispatcher.ResponseData, url: string): HttpAnswer {
  return {
    status: response.statusCode,
    url,
    header(name) {
      const value = response.headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    body: response.body,
    async discard() {
      await response.body.dump({ limit: 65_536 }).catch(() => {});
    },
    cancel() {
      response.body.on("error", () => {}).destroy();
    },
  };
}

/** Length that the server announces for the body, in bytes. */
export function contentLength(answer: HttpAnswer): number | undefined {
  const value = answer.header("content-length");
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function redirected(target: PreparedUrl, location: string, url: string): PreparedUrl {
  const place = { url: redactUrl(url) };
  if (!URL.canParse(location, target.url))
    throw new SpacktainersError("NETWORK", "the server redirects to an invalid URL", {
      place,
      hint: strangeAnswer,
    });
  const next = new URL(location, target.url);
  const from = new URL(target.url);
  next.username = "";
  next.password = "";
  if ((next.protocol !== "http:" && next.protocol !== "https:") || downgrade(from, next))
    throw new SpacktainersError(
      "NETWORK",
      `the server redirects to ${redactUrl(next.href)}, which is not secure`,
      { place, hint: strangeAnswer },
    );
  const { authorization: _, cookie: __, ...others } = target.headers;
  return { url: next.href, headers: sameOrigin(from, next) ? target.headers : others };
}

function downgrade(from: URL, to: URL): boolean {
  return from.protocol === "https:" && to.protocol !== "https:";
}
