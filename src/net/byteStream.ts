/**
 * Reading a long body to its end although connections break: a stream that continues where it was cut.
 * It knows nothing of HTTP or S3: a transport gives it a way to open the same content at an offset.
 */
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { strangeAnswer, transportFailure, unreachable } from "./failure.ts";
import { pauseBeforeRetry, type RetryPolicy, TransientFailure } from "./retry.ts";

/** Content opened at an offset. */
export interface OpenedBytes {
  readonly body: AsyncIterable<Uint8Array>;
  /** Where `body` begins: the offset asked for, or 0 when the server does not do ranges or the content changed. */
  readonly offset: number;
  /** Bytes of the whole content, when the server says. */
  readonly total: number | undefined;
  /** Strong ETag of the content, when there is one. */
  readonly validator: string | undefined;
}

/**
 * Opens the content at `offset`; with a `validator`, only that version of it (else from 0).
 * Throws a {@link TransientFailure} for what may pass.
 */
export type OpenBytes = (offset: number, validator: string | undefined) => Promise<OpenedBytes>;

/** Limits of one stream. */
export interface StreamLimits {
  /** The stream fails when the content is longer. */
  readonly maxBytes: number;
  /** A digest will be checked over the whole, so that a cut stream may be continued without an ETag. */
  readonly verified: boolean;
  /** Average speed below which a server counts as stalled, in bytes per second of waiting. */
  readonly minimumRate?: number;
  /** Time over which that average is taken, in milliseconds. */
  readonly rateWindowMs?: number | undefined;
}

/** The content was replaced while it was being read: what was read so far is of no use. */
export class ContentChanged extends Error {}

/** Bytes after which a broken connection counts as a new failure rather than one more of the same. */
const progressBytes = 65_536;

/** How a broken stream is continued. */
export interface Continuation {
  readonly open: OpenBytes;
  readonly policy: RetryPolicy;
  readonly limits: StreamLimits;
}

/**
 * Yields the content from `first.offset` to its end, opening it again where a connection broke.
 *
 * @throws ContentChanged when the rest is of another version; NETWORK when it is longer than allowed, shorter than
 *   announced, or too slow, and attempts are used up
 */
export async function* continuedBytes(
  url: string,
  first: OpenedBytes,
  { open, policy, limits }: Continuation,
): AsyncGenerator<Uint8Array, void, undefined> {
  let current = first;
  let position = first.offset;
  let failures = 0;
  let sinceFailure = 0;
  checkLength(url, first.total ?? 0, limits.maxBytes);
  for (;;) {
    let skip = position - current.offset;
    try {
      for await (const chunk of watched(url, current.body, limits)) {
        const fresh = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - fresh.length;
        if (fresh.length === 0) continue;
        position += fresh.length;
        sinceFailure += fresh.length;
        checkLength(url, position, limits.maxBytes);
        yield fresh;
      }
      if (current.total === undefined || position >= current.total) return;
      throw new TransientFailure(brokenOff(url, position, current.total));
    } catch (thrown) {
      const failure = transportFailure(thrown, url, policy.signal);
      if (!(failure instanceof TransientFailure)) throw failure;
      failures = sinceFailure >= progressBytes ? 1 : failures + 1;
      sinceFailure = 0;
      await pauseBeforeRetry(policy, failure, failures, url);
    }
    for (;;) {
      try {
        const again = await open(position, first.validator);
        const same = first.validator !== undefined && again.validator === first.validator;
        if (again.offset > position || (!same && !limits.verified)) throw new ContentChanged();
        if (again.total !== undefined && first.total !== undefined && again.total !== first.total)
          throw new ContentChanged();
        current = again;
        break;
      } catch (thrown) {
        if (!(thrown instanceof TransientFailure)) throw thrown;
        await pauseBeforeRetry(policy, thrown, ++failures, url);
      }
    }
  }
}

/**
 * Passes a body on.
 * @throws TransientFailure when what comes is, over a time, slower than any real connection
 */
export async function* watched(
  url: string,
  body: AsyncIterable<Uint8Array>,
  limits: Pick<StreamLimits, "minimumRate" | "rateWindowMs">,
): AsyncGenerator<Uint8Array, void, undefined> {
  const rate = limits.minimumRate ?? 1024;
  const windowMs = limits.rateWindowMs ?? 30_000;
  let waitedMs = 0;
  let received = 0;
  let asked = performance.now();
  for await (const chunk of body) {
    // Only the time spent waiting for the server counts, not the time the reader takes.
    waitedMs += performance.now() - asked;
    received += chunk.length;
    if (waitedMs >= windowMs) {
      if (received < (rate * waitedMs) / 1000) throw new TransientFailure(stalled(url));
      waitedMs = 0;
      received = 0;
    }
    yield chunk;
    asked = performance.now();
  }
}

function checkLength(url: string, length: number, maxBytes: number): void {
  if (length <= maxBytes) return;
  throw new SpacktainersError("NETWORK", `the server sends more than the ${maxBytes} bytes allowed here`, {
    place: { url: redactUrl(url) },
    hint: strangeAnswer,
  });
}

function brokenOff(url: string, position: number, total: number): SpacktainersError {
  return new SpacktainersError("NETWORK", `the body ended after ${position} of ${total} bytes`, {
    place: { url: redactUrl(url) },
    hint: unreachable,
  });
}

function stalled(url: string): SpacktainersError {
  return new SpacktainersError("NETWORK", "the server sends too slowly", {
    place: { url: redactUrl(url) },
    hint: unreachable,
  });
}

/**
 * Reads a whole content, from its beginning again where the rest could not be joined to what was read.
 *
 * @param read reads it all; its ContentChanged stands for that
 * @throws NETWORK when that happens once more than attempts are left; whatever else `read` throws
 */
export async function readWhole<T>(url: string, policy: RetryPolicy, read: () => Promise<T>): Promise<T> {
  for (let restarts = 0; ; restarts++) {
    try {
      return await read();
    } catch (thrown) {
      if (!(thrown instanceof ContentChanged)) throw thrown;
      if (restarts >= policy.retries) throw cannotContinue(url, thrown);
    }
  }
}

/** What to report when a content cannot be continued. */
export function cannotContinue(url: string, cause: ContentChanged): SpacktainersError {
  return new SpacktainersError(
    "NETWORK",
    "the connection broke, and the server does not send the rest separately",
    { place: { url: redactUrl(url) }, hint: unreachable, cause },
  );
}
