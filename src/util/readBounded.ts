import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { SpacktainersError } from "./errors.ts";

/**
 * Reads a file of bounded size; what is no file (a device, a pipe that nobody writes to) is refused, not waited for.
 *
 * @param maxBytes longest content accepted
 * @returns undefined when the file is longer
 * @throws SpacktainersError IO for what is no regular file; errors of the system as they are
 */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const facts = await file.stat();
    if (!facts.isFile())
      throw new SpacktainersError("IO", facts.isDirectory() ? "this is a directory" : "this is no file", {
        place: { file: path },
      });
    if (facts.size > maxBytes) return undefined;
    // It may grow while it is read: one byte more tells.
    const bytes = Buffer.allocUnsafe(facts.size + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = (await file.read(bytes, length, bytes.length - length, length)).bytesRead;
    return length > maxBytes ? undefined : bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}
