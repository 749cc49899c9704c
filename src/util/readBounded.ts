import { constants, fstatSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { SpacktainersError } from "./errors.ts";

/** Bytes up to which a file is read at once. */
const smallFile = 256 * 2 ** 10;

/**
 * Reads a file of bounded size; what is no file (a device, a pipe that nobody writes to) is refused, not waited for.
 *
 * @param maxBytes longest content accepted
 * @returns undefined when the file is longer
 * @throws SpacktainersError IO for what is no regular file; errors of the system as they are
 */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer | undefined> {
  // Only opening can take long (a file system that is mounted when it is needed): each further step of a file of some kilobytes costs
  // less than handing it to another thread.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const facts = fstatSync(file.fd);
    if (!facts.isFile())
      throw new SpacktainersError("IO", facts.isDirectory() ? "this is a directory" : "this is not a file", {
        place: { file: path },
      });
    if (facts.size > maxBytes) return undefined;
    // It may grow while it is read: one byte more tells.
    const bytes = Buffer.allocUnsafe(facts.size + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read =
        facts.size <= smallFile
          ? readSync(file.fd, bytes, length, bytes.length - length, length)
          : (await file.read(bytes, length, bytes.length - length, length)).bytesRead;
    return length > maxBytes ? undefined : bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}
