import { createReadStream } from "node:fs";
import { asSpacktainersError } from "../util/errors.ts";
import type { FileExtent } from "./layer.ts";

/**
 * Reads a file, or a part of one, in pieces.
 * @param from where in it to begin, in bytes
 * @throws SpacktainersError of the system
 */
export async function* readExtent(
  { path, offset, size }: FileExtent,
  from = 0,
): AsyncGenerator<Buffer, void, void> {
  if (size <= from) return;
  const range = { start: offset + from, end: offset + size - 1 };
  try {
    yield* createReadStream(path, { ...range, highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>;
  } catch (thrown) {
    throw asSpacktainersError(thrown, { file: path });
  }
}
