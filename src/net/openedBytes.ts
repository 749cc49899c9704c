/** The answer to a request for a range of bytes, read as what {@link continuedBytes} needs. */
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { ContentChanged, type OpenedBytes } from "./byteStream.ts";
import { contentLength, type HttpAnswer } from "./exchange.ts";
import { strangeAnswer, transportFailure } from "./failure.ts";

/**
 * Headers that ask for the content from `offset` on; with a strong `validator`, only of that version.
 *
 * @param size of the whole, in bytes, where it is known: some servers understand only ranges with an end
 */
export function rangeHeaders(
  offset: number,
  validator: string | undefined,
  size?: number,
): Record<string, string> {
  const last = size !== undefined && size > offset ? size - 1 : "";
  return {
    ...(offset > 0 ? { range: `bytes=${offset}-${last}` } : {}),
    ...(offset > 0 && validator !== undefined ? { "if-range": validator } : {}),
  };
}

/**
 * What an answer (200, 206 or 416) to a request with {@link rangeHeaders} holds (RFC 9110, 14 and 15.5.17).
 *
 * @param url where the request went, for messages
 * @throws NETWORK when the range is not the one asked for; ContentChanged when there is nothing from `offset` on although
 *   the content does not end there
 */
export async function openedBytes(
  answer: HttpAnswer,
  url: string,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<OpenedBytes> {
  if (answer.status === 416) return atEnd(answer, offset);
  const etag = answer.header("etag");
  const validator = etag?.startsWith("W/") ? undefined : etag;
  const length = contentLength(answer);
  const body = mapped(answer.body, url, signal);
  if (answer.status !== 206) return { body, offset: 0, total: length, validator };
  const range = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(answer.header("content-range") ?? "");
  if (range?.[1] === undefined || Number(range[1]) > offset) {
    await answer.discard();
    throw new SpacktainersError("NETWORK", "the server answers a range request with another range", {
      place: { url: redactUrl(url) },
      hint: strangeAnswer,
    });
  }
  const start = Number(range[1]);
  const total = range[2] === "*" ? (length === undefined ? undefined : start + length) : Number(range[2]);
  return { body, offset: start, total, validator };
}

/** Answer 416: there is nothing from `offset` on. That is right when the content ends there. */
async function atEnd(answer: HttpAnswer, offset: number): Promise<OpenedBytes> {
  const total = /^bytes \*\/(\d{1,15})$/.exec(answer.header("content-range") ?? "")?.[1];
  await answer.discard();
  if (Number(total) !== offset) throw new ContentChanged();
  return { body: noBytes(), offset, total: offset, validator: undefined };
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

/** A body without content. */
export async function* noBytes(): AsyncGenerator<Uint8Array, void, undefined> {}
