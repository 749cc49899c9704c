/** The HTTP client of the program: a few verbs on `undici`, with retries, resumption, limits, proxies and redaction. */
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, ignoreEvents } from "../util/events.ts";
import { redactUrl } from "../util/redact.ts";
import {
  ContentChanged,
  cannotContinue,
  continuedBytes,
  type OpenBytes,
  type OpenedBytes,
  readWhole,
  watched,
} from "./byteStream.ts";
import { type Downloaded, type DownloadOptions, downloadBytes } from "./download.ts";
import { contentLength, type HttpAnswer, type HttpHeaders, openExchanges } from "./exchange.ts";
import { notFound, statusFailure, strangeAnswer, transportFailure } from "./failure.ts";
import { noBytes, openedBytes, rangeHeaders } from "./openedBytes.ts";
import { type RetryPolicy, withRetries } from "./retry.ts";

export type { HttpHeaders } from "./exchange.ts";

export interface HttpOptions {
  readonly emit?: EmitEvent;
  /** Stops everything this client does. */
  readonly signal?: AbortSignal | undefined;
  readonly userAgent?: string;
  /** Further attempts after a passing failure; default 4. */
  readonly retries?: number | undefined;
  /** First pause in milliseconds, doubled each time; default 300. */
  readonly retryDelayMs?: number | undefined;
  /** Milliseconds to wait for a connection; default 15 000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds of silence after which a connection counts as broken; default 30 000. */
  readonly idleTimeoutMs?: number;
  /** Milliseconds of waiting over which the speed of a server is measured; default 30 000. */
  readonly rateWindowMs?: number | undefined;
}

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
  const exchanges = openExchanges(options);

  /** One attempt; the caller must consume the body. */
  async function send(method: "GET" | "HEAD", url: string, headers: HttpHeaders): Promise<HttpAnswer> {
    const answer = await exchanges.send({ method, url, headers });
    const failure = statusFailure(answer.status, url, answer.header("retry-after"));
    if (failure === undefined) return answer;
    await answer.discard();
    throw failure;
  }

  /** Opens at an offset. `extra` headers are those of the caller. */
  function opener(url: string, extra: HttpHeaders): OpenBytes {
    return async (offset, validator) => {
      const answer = await send("GET", url, { ...extra, ...rangeHeaders(offset, validator) });
      if (isMissing(answer)) {
        await answer.discard();
        throw notFound(url);
      }
      return openedBytes(answer, url, offset, options.signal);
    };
  }

  /** The body throws ContentChanged where the rest cannot be joined to what was read. */
  async function get(url: string, getOptions: GetOptions): Promise<HttpStream> {
    const headers: Record<string, string> = { ...getOptions.headers };
    if (getOptions.etag !== undefined) headers["if-none-match"] = getOptions.etag;
    const answer = await withRetries(policy, url, () => send("GET", url, headers));
    const facts = factsOf(answer);
    const missing = isMissing(answer);
    if (missing || answer.status === 304) {
      await answer.discard();
      return { ...facts, status: missing ? 404 : 304, body: noBytes(), size: undefined };
    }
    if (answer.status === 416) {
      await answer.discard();
      throw new SpacktainersError("NETWORK", "the server answered with HTTP status 416", {
        place: place(url),
        hint: strangeAnswer,
      });
    }
    const first = await openedBytes(answer, url, 0, options.signal);
    const { rateWindowMs } = options;
    const limits = {
      maxBytes: getOptions.maxBytes ?? 64 * 2 ** 20,
      verified: false,
      rateWindowMs,
    };
    const again = opener(url, getOptions.headers ?? {});
    return {
      ...facts,
      status: 200,
      size: first.total,
      body: continuedBytes(url, first, { open: again, policy, limits }),
    };
  }

  return {
    async getStream(url, getOptions = {}) {
      const answer = await get(url, getOptions);
      return { ...answer, body: changeReported(url, answer.body) };
    },
    getBytes: (url, getOptions = {}) =>
      readWhole(url, policy, async () => {
        const { status, body, etag, lastModified } = await get(url, getOptions);
        const chunks: Uint8Array[] = [];
        for await (const chunk of body) chunks.push(chunk);
        return { status, etag, lastModified, bytes: Buffer.concat(chunks) };
      }),
    async getRange(url, start, length, headers = {}) {
      if (length <= 0) return new Uint8Array();
      const range = { ...headers, range: `bytes=${start}-${start + length - 1}` };
      return withRetries(policy, url, async () => {
        const answer = await send("GET", url, range);
        if (isMissing(answer) || answer.status === 416) {
          await answer.discard();
          if (answer.status === 416) return new Uint8Array();
          throw notFound(url);
        }
        const from = await openedBytes(answer, url, start, options.signal);
        const body = watched(url, from.body, options);
        return take({ ...from, body }, { skip: start - from.offset, length, url, signal: options.signal });
      });
    },
    async head(url, headers = {}) {
      const answer = await withRetries(policy, url, () => send("HEAD", url, headers));
      await answer.discard();
      return isMissing(answer) ? undefined : { ...factsOf(answer), size: contentLength(answer) };
    },
    downloadFile: (url, destination, { headers = {}, ...rest } = {}) =>
      downloadBytes(url, destination, { open: opener(url, headers), policy }, rest),
    async close() {
      await exchanges.close();
    },
  };
}

/** The part of an answer that is taken. */
interface Range {
  readonly skip: number;
  readonly length: number;
  readonly url: string;
  readonly signal: AbortSignal | undefined;
}

/** At most `length` bytes of `from`, after the first `skip`. */
async function take(from: OpenedBytes, { skip, length, url, signal }: Range): Promise<Uint8Array> {
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
    throw thrown instanceof ContentChanged ? cannotContinue(url, thrown) : thrown;
  }
}

function factsOf(answer: HttpAnswer): { etag: string | undefined; lastModified: string | undefined } {
  return { etag: answer.header("etag"), lastModified: answer.header("last-modified") };
}

function isMissing(answer: HttpAnswer): boolean {
  return answer.status === 404 || answer.status === 410;
}

function place(url: string): { url: string } {
  return { url: redactUrl(url) };
}
