/** Key files on disk. */
import { asSpacktainersError, type Place, SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";

/** The content of a key file, unread. */
export interface KeyFile {
  /** Its path, for messages. */
  readonly name: string;
  /** Armoured blocks or binary packets. */
  readonly content: Uint8Array;
}

/** A key file is a few kilobytes, a distribution's key ring less than one megabyte; anything much larger is something else. */
const largestKeyFile = 4 * 2 ** 20;

/**
 * The bytes of a key file. What is no file (a device, a pipe) is refused, not waited for.
 *
 * @throws SpacktainersError KEY_INVALID when it is too large; NOT_FOUND, ACCESS_DENIED, IO
 */
export async function readKeyBytes(path: string): Promise<Uint8Array> {
  const place = { file: path };
  const content = await readBounded(path, largestKeyFile).catch((error: unknown) => {
    throw asSpacktainersError(error, place);
  });
  if (content === undefined)
    throw new SpacktainersError("KEY_INVALID", "the file is too large to be a key", { place });
  return content;
}

/**
 * Reads a file of public keys, but not the keys.
 *
 * @param place where the file is named; default: the file itself
 * @throws SpacktainersError KEY_INVALID when it cannot be read or is too large to be one
 */
export async function readKeyFile(path: string, place: Place = { file: path }): Promise<KeyFile> {
  const content = await readKeyBytes(path).catch((error: unknown) => {
    const cause = asSpacktainersError(error);
    throw new SpacktainersError("KEY_INVALID", `the key file ${path} cannot be read: ${cause.message}`, {
      place,
      cause,
    });
  });
  return { name: path, content };
}
