/** Streams of a layer that are compared with the digests that name it. */
import { createHash } from "node:crypto";
import { decompressStream } from "../archive/decompress.ts";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** What a layer's bytes are compared with. */
export interface ExpectedDigests {
  /** Of the bytes as they are stored; undefined: not compared. */
  readonly digest: Digest | undefined;
  /** Of the uncompressed tar; undefined: not compared. */
  readonly diffId: Digest | undefined;
}

/**
 * Passes on bytes and compares them with a digest at their end.
 *
 * @param place of the layer, for errors
 * @throws SpacktainersError CHECKSUM_MISMATCH; what `chunks` throws
 */
export async function* verifiedBytes(
  chunks: AsyncIterable<Uint8Array>,
  digest: Digest | undefined,
  place: Place,
): AsyncGenerator<Uint8Array, void, void> {
  if (digest === undefined) {
    yield* chunks;
    return;
  }
  const hash = createHash("sha256");
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
  if (digestOfHex(hash.digest("hex")) !== digest) throw mismatch("is not what its digest says", place);
}

/** What {@link verifiedTar} tells. */
export interface TarListeners {
  /** Bytes as they are read, as they are stored. */
  readonly onStored?: ((bytes: number) => void) | undefined;
  /** Everything was read, and is as expected. */
  readonly onVerified?: () => void;
}

/**
 * The tar of a layer's bytes, decompressed, and compared at its end with what is expected of it. Of bytes that cannot be
 * decompressed it is said first whether they are damaged; so it is when a reader throws into the generator what it finds wrong
 * with the tar.
 *
 * @param stored the bytes as they are stored
 * @throws SpacktainersError CHECKSUM_MISMATCH, ARCHIVE_INVALID; what `stored` throws
 */
export async function* verifiedTar(
  stored: AsyncIterable<Uint8Array>,
  { digest, diffId }: ExpectedDigests,
  place: Place,
  { onStored, onVerified }: TarListeners = {},
): AsyncGenerator<Uint8Array, void, void> {
  const bytes = verifiedBytes(stored, digest, place);
  let failure: unknown;
  // The decompressor may leave the last bytes unread, and closes what it reads: those bytes belong to the digest too.
  const view: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const result = await bytes.next().catch((error: unknown) => {
          failure = error;
          throw error;
        });
        if (result.done !== true) onStored?.(result.value.length);
        return result;
      },
    }),
  };
  const hash = diffId === undefined ? undefined : createHash("sha256");
  try {
    for await (const chunk of decompressStream(view, { where: place })) {
      hash?.update(chunk);
      yield chunk;
    }
    await drain(bytes);
    if (hash !== undefined && digestOfHex(hash.digest("hex")) !== diffId)
      throw mismatch("is not what the image's configuration says", place);
    onVerified?.();
  } catch (thrown) {
    if (isMalformed(thrown)) await drain(bytes);
    // The decompressor may have read to the end before it noticed.
    throw failure ?? thrown;
  } finally {
    await bytes.return();
  }
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of chunks);
}

/** Whether an error says that an archive is not as it should be, for which damage is one reason. */
export function isMalformed(thrown: unknown): boolean {
  return (
    thrown instanceof SpacktainersError &&
    (thrown.code === "ARCHIVE_INVALID" || thrown.code === "ARCHIVE_UNSAFE")
  );
}

function mismatch(what: string, place: Place): SpacktainersError {
  return new SpacktainersError("CHECKSUM_MISMATCH", `a layer ${what}`, {
    place,
    hint: "the image is damaged; make or fetch it again",
  });
}
