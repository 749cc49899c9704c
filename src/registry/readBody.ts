import type { HttpAnswer } from "../net/exchange.ts";
import { strangeAnswer, transportFailure } from "../net/failure.ts";
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";

/** Longest time for a document, in milliseconds: whoever sends it drop by drop is stopped. */
const longestMs = 120_000;

/**
 * Reads a short body whole.
 *
 * @param url where the request went, for messages
 * @param maxBytes longest body accepted
 * @throws NETWORK when it is longer; TransientFailure when it breaks off or takes more than two minutes
 */
export async function readBody(
  answer: HttpAnswer,
  url: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const timer = setTimeout(() => answer.cancel(), longestMs);
  try {
    for await (const chunk of answer.body) {
      length += chunk.length;
      if (length > maxBytes)
        throw new SpacktainersError(
          "NETWORK",
          `the server sends more than the ${maxBytes} bytes allowed here`,
          {
            place: { url: redactUrl(url) },
            hint: strangeAnswer,
          },
        );
      chunks.push(chunk);
    }
  } catch (thrown) {
    throw transportFailure(thrown, url, signal);
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}
