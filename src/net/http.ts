/** The HTTP client of the program: a few verbs on `undici`, with retries, resumption, limits, proxies and redaction. */
import type { Dispatcher } from "undici";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, ignoreEvents } from "../util/events.ts";
import { redactUrl } from "../util/redact.ts";
import { ContentChanged, continuedBytes, type OpenBytes, type OpenedBytes } from "./byteStream.ts";
import { type Downloaded, type DownloadOptions, downloadBytes } from "./download.ts";
import { notFound, statusFailure, strangeAnswer, transportFailure, unreachable } from "./failure.ts";
import { prepareUrl, sameOrigin } from "./httpUrl.ts";
import { interruption, type RetryPolicy, TransientFailure, withRetries } from "./retry.ts";
import { openTransport } from "./transport.ts";

export interface HttpOptions {
  readonly emit?: EmitEvent;
  /** Stops everything this client does. */
  readonly signal?: AbortSignal | undefined;
  readonly userAgent?: string;
  /** Further attempts after a passing failure; default 4. */
  readonly retries?: number;
  /** First pause in milliseconds, doubled each time; default 300. */
  readonly retryDelayMs?: number;
  /** Milliseconds to wait for a connection; default 15 000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds of silence after which a connection counts as broken; default 30 000. */
  readonly idleTimeoutMs?: number;
}

/** Request headers, names in lower case. */
export type HttpHeaders = Readonly<Record<string, string>>;

export interface GetOptions {
  readonly headers?: HttpHeaders;
  /** The answer is 304 when the content still has this ETag. */
  readonly etag?: string | undefined;
  /** Longest content accepted, in bytes; default 64 MiB. */
  readonly maxBytes?: number;
}

export interface HttpBytes {
  /** 404 stands for 410 too. */
  readonly status: 200 | 304 | 404;
  /** Empty unless the status is 200. */
  readonly bytes: Uint8Array;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

export interface HttpStream {
  readonly status: 200 | 304 | 404;
  /** The content; continues by itself after a broken connection. Must be read to its end or returned early. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Bytes, when the server says. */
  readonly size: number | undefined;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

export interface HttpHead {
  readonly size: number | undefined;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

export interface HttpClient {
  /** The content of a URL. Throws NETWORK, ACCESS_DENIED. */
  getBytes(url: string, options?: GetOptions): Promise<HttpBytes>;
  /** The content of a URL as a stream. Throws NETWORK, ACCESS_DENIED. */
  getStream(url: string, options?: GetOptions): Promise<HttpStream>;
  /** `length` bytes from `start`, fewer where the content ends. Throws NOT_FOUND, NETWORK, ACCESS_DENIED. */
  getRange(url: string, start: number, length: number, headers?: HttpHeaders): Promise<Uint8Array>;
  /** Facts about a URL, undefined when it is not there. Throws NETWORK, ACCESS_DENIED. */
  head(url: string, headers?: HttpHeaders): Promise<HttpHead | undefined>;
  /** Downloads to a file, see {@link downloadBytes}. Throws NOT_FOUND, NETWORK, ACCESS_DENIED, CHECKSUM_MISMATCH. */
  downloadFile(
    url: string,
    destination: string,
    options?: DownloadOptions & { readonly headers?: HttpHeaders },
  ): Promise<Downloaded>;
  /** Closes idle connections. */
  close(): Promise<void>;
}

const maxRedirects = 8;

/**
 * Opens an HTTP client. Proxies come from `http_proxy`, `https_proxy` and `no_proxy`; user name and password in a URL
 * become a Basic `Authorization` header; no `Authorization` follows a redirect to another origin.
 */
export function openHttp(options: HttpOptions = {}): HttpClient {
  const policy: RetryPolicy = {
    retries: options.retries ?? 4,
    delayMs: options.retryDelayMs ?? 300,
    emit: options.emit ?? ignoreEvents,
    signal: options.signal,
  };
  const transport = openTransport(options);

  /** One attempt; the caller must consume the body. */
  async function send(method: "GET" | "HEAD", url: string, headers: HttpHeaders) {
    const { undici, dispatcher } = await transport();
    let target = prepareUrl(url, headers, options.userAgent ?? "spacktainers");
    for (let hops = 0; ; hops++) {
      if (options.signal?.aborted) throw interruption(options.signal, url);
      const response = await undici
        .request(target.url, {
          dispatcher,
          method,
          headers: target.headers,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        })
        .catch((thrown) => {
          throw transportFailure(thrown, url, options.signal);
        });
      const location = header(response, "location");
      if (location === undefined || ![301, 302, 303, 307, 308].includes(response.statusCode)) {
        const failure = statusFailure(response.statusCode, url, header(response, "retry-after"));
        if (failure === undefined) return response;
        await discard(response);
        throw failure;
      }
      await discard(response);
      if (hops >= maxRedirects)
        throw new SpacktainersError("NETWORK", `more than ${maxRedirects} redirects`, {
          place: place(url),
          hint: strangeAnswer,
        });
      target = redirected(target, location, url);
    }
  }

  /** Opens at an offset. `extra` headers are those of the caller. */
  function opener(url: string, extra: HttpHeaders): OpenBytes {
    return async (offset, validator) => {
      const headers: Record<string, string> = { ...extra };
      if (offset > 0) headers.range = `bytes=${offset}-`;
      if (offset > 0 && validator !== undefined) headers["if-range"] = validator;
      const response = await send("GET", url, headers);
      if (response.statusCode === 404 || response.statusCode === 410) {
        await discard(response);
        throw notFound(url);
      }
      if (response.statusCode === 416) return atEnd(response, offset);
      return opened(response, url, offset, options.signal);
    };
  }

  async function get(url: string, getOptions: GetOptions): Promise<HttpStream> {
    const headers: Record<string, string> = { ...getOptions.headers };
    if (getOptions.etag !== undefined) headers["if-none-match"] = getOptions.etag;
    const response = await withRetries(policy, url, () => send("GET", url, headers));
    const facts = factsOf(response);
    const missing = response.statusCode === 404 || response.statusCode === 410;
    if (missing || response.statusCode === 304) {
      await discard(response);
      return { ...facts, status: missing ? 404 : 304, body: none(), size: undefined };
    }
    if (response.statusCode === 416) {
      await discard(response);
      throw new SpacktainersError("NETWORK", "the server answered with HTTP status 416", {
        place: place(url),
        hint: strangeAnswer,
      });
    }
    const first = opened(response, url, 0, options.signal);
    const limits = { maxBytes: getOptions.maxBytes ?? 64 * 2 ** 20, verified: false };
    const again = opener(url, getOptions.headers ?? {});
    return {
      ...facts,
      status: 200,
      size: first.total,
      body: changeReported(url, continuedBytes(url, first, again, policy, limits)),
    };
  }

  return {
    getStream: (url, getOptions = {}) => get(url, getOptions),
    async getBytes(url, getOptions = {}) {
      const { status, body, etag, lastModified } = await get(url, getOptions);
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      return { status, etag, lastModified, bytes: Buffer.concat(chunks) };
    },
    async getRange(url, start, length, headers = {}) {
      if (length <= 0) return new Uint8Array();
      const range = { ...headers, range: `bytes=${start}-${start + length - 1}` };
      return withRetries(policy, url, async () => {
        const response = await send("GET", url, range);
        if (response.statusCode === 404 || response.statusCode === 410) {
          await discard(response);
          throw notFound(url);
        }
        if (response.statusCode === 416) {
          await discard(response);
          return new Uint8Array();
        }
        const from = opened(response, url, start, options.signal);
        return take(from, start - from.offset, length, url, options.signal);
      });
    },
    async head(url, headers = {}) {
      const response = await withRetries(policy, url, () => send("HEAD", url, headers));
      await discard(response);
      if (response.statusCode === 404 || response.statusCode === 410) return undefined;
      return { ...factsOf(response), size: contentLength(response) };
    },
    downloadFile: (url, destination, { headers = {}, ...rest } = {}) =>
      downloadBytes(url, destination, opener(url, headers), policy, rest),
    async close() {
      await transport.close();
    },
  };
}

type Response = Dispatcher.ResponseData;

function redirected(
  target: ReturnType<typeof prepareUrl>,
  location: string,
  url: string,
): ReturnType<typeof prepareUrl> {
  if (!URL.canParse(location, target.url))
    throw new SpacktainersError("NETWORK", "the server redirects to something that is no URL", {
      place: place(url),
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
      { place: place(url), hint: strangeAnswer },
    );
  const { authorization: _, cookie: __, ...others } = target.headers;
  return { url: next.href, headers: sameOrigin(from, next) ? target.headers : others };
}

function downgrade(from: URL, to: URL): boolean {
  return from.protocol === "https:" && to.protocol !== "https:";
}

function opened(
  response: Response,
  url: string,
  offset: number,
  signal: AbortSignal | undefined,
): OpenedBytes {
  const etag = header(response, "etag");
  const validator = etag?.startsWith("W/") ? undefined : etag;
  const length = contentLength(response);
  const body = mapped(response.body, url, signal);
  if (response.statusCode !== 206) return { body, offset: 0, total: length, validator };
  const range = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(header(response, "content-range") ?? "");
  if (range?.[1] === undefined || Number(range[1]) > offset) {
    response.body.destroy();
    throw new SpacktainersError("NETWORK", "the server answers a range request with another range", {
      place: place(url),
      hint: strangeAnswer,
    });
  }
  const start = Number(range[1]);
  const total = range[2] === "*" ? (length === undefined ? undefined : start + length) : Number(range[2]);
  return { body, offset: start, total, validator };
}

/** Answer 416: there is nothing from `offset` on. That is right when the content ends there. */
async function atEnd(response: Response, offset: number): Promise<OpenedBytes> {
  const total = /^bytes \*\/(\d{1,15})$/.exec(header(response, "content-range") ?? "")?.[1];
  await discard(response);
  if (Number(total) !== offset) throw new ContentChanged();
  return { body: none(), offset, total: offset, validator: undefined };
}

/** Errors of the body in our words. */
async function* mapped(
  body: AsyncIterable<Uint8Array>,
  url: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (thrown) {
    throw transportFailure(thrown, url, signal);
  }
}

/** At most `length` bytes of `from`, after the first `skip`. */
async function take(
  from: OpenedBytes,
  skip: number,
  length: number,
  url: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const wanted = Math.max(0, Math.min(length, (from.total ?? Number.POSITIVE_INFINITY) - from.offset - skip));
  const parts: Uint8Array[] = [];
  let have = 0;
  let ahead = skip;
  for await (const chunk of from.body) {
    const fresh = chunk.subarray(Math.min(ahead, chunk.length));
    ahead -= chunk.length - fresh.length;
    parts.push(fresh.subarray(0, wanted - have));
    have += Math.min(fresh.length, wanted - have);
    if (have >= wanted) break;
  }
  if (have < wanted && Number.isFinite(wanted) && from.total !== undefined)
    throw transportFailure(Object.assign(new Error(), { code: "UND_ERR_SOCKET" }), url, signal);
  return Buffer.concat(parts);
}

/** A file that changed while it was read cannot be continued: for those who read without a digest that is an error. */
async function* changeReported(
  url: string,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (thrown) {
    if (thrown instanceof SpacktainersError || thrown instanceof TransientFailure) throw thrown;
    throw new SpacktainersError("NETWORK", "the connection broke and the rest cannot be had separately", {
      place: place(url),
      hint: unreachable,
      cause: thrown,
    });
  }
}

function factsOf(response: Response): { etag: string | undefined; lastModified: string | undefined } {
  return { etag: header(response, "etag"), lastModified: header(response, "last-modified") };
}

function contentLength(response: Response): number | undefined {
  const value = header(response, "content-length");
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function header(response: Response, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

async function discard(response: Response): Promise<void> {
  // Reading a short rest keeps the connection; a long one is not worth it.
  await response.body.dump({ limit: 65_536 }).catch(() => {});
}

async function* none(): AsyncGenerator<Uint8Array, void, undefined> {}

function place(url: string): { url: string } {
  return { url: redactUrl(url) };
}
