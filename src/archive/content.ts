import { SpacktainersError } from "../util/errors.ts";
import type { FileEntry } from "./entry.ts";
import { printable } from "./names.ts";

/**
 * Reads the whole content of a file into memory; without copying when it comes in one piece.
 * @param maxBytes refuse larger files (before reading)
 * @throws SpacktainersError ARCHIVE_INVALID when it is larger, or not as long as it says
 */
export async function readContent(entry: FileEntry, maxBytes = 2 ** 31): Promise<Buffer> {
  if (entry.size > maxBytes)
    throw new SpacktainersError(
      "ARCHIVE_INVALID",
      `${printable(entry.path)} is too large: ${entry.size} bytes, at most ${maxBytes} are allowed here`,
    );
  let whole: Buffer | undefined;
  let used = 0;
  for await (const chunk of entry.content) {
    if (used + chunk.length > entry.size) {
      used += chunk.length;
      break;
    }
    if (used === 0 && chunk.length === entry.size) {
      whole = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    } else {
      whole ??= Buffer.allocUnsafe(entry.size);
      whole.set(chunk, used);
    }
    used += chunk.length;
  }
  if (used !== entry.size)
    throw new SpacktainersError("ARCHIVE_INVALID", `${printable(entry.path)} is not as long as announced`);
  return whole ?? Buffer.alloc(0);
}

/** Content made of bytes already in memory. */
export async function* contentOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  if (bytes.length > 0) yield bytes;
}
