/** Reads and writes ranges of files. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { type Digest, digestOfHex } from "../util/digest.ts";

/** The digest of a file from an offset on. */
export async function digestOfRange(path: string, start: number): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { start, highWaterMark: 2 ** 20 })) hash.update(chunk);
  return digestOfHex(hash.digest("hex"));
}

/** Writes all bytes at a position. */
export async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; )
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
}
