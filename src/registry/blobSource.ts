/** A blob on its way to a registry: content that can be opened at any offset, so that an upload can continue where it broke. */
import { createReadStream } from "node:fs";
import { digestOf } from "../util/digest.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { BlobId } from "./blobs.ts";

export interface BlobSource extends BlobId {
  /** What it is, for people; default its digest. */
  readonly label?: string | undefined;
  /** The content from an offset to its end. */
  open(offset: number): AsyncIterable<Uint8Array>;
}

/** A file as a blob. Its digest and size are the caller's word; the registry checks them. */
export function fileBlob(path: string, blob: BlobId & { readonly label?: string }): BlobSource {
  return {
    ...blob,
    async *open(offset) {
      try {
        yield* createReadStream(path, { start: offset, highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>;
      } catch (thrown) {
        throw asSpacktainersError(thrown, { file: path });
      }
    },
  };
}

/** Bytes in memory as a blob: configurations, the empty document. */
export function bytesBlob(bytes: Uint8Array, label?: string): BlobSource {
  return {
    digest: digestOf(bytes),
    size: bytes.length,
    label,
    async *open(offset) {
      if (offset < bytes.length) yield bytes.subarray(offset);
    },
  };
}

/**
 * A source's bytes from `begin` up to `end`.
 *
 * @param sent told how far what was given is on its way, as an offset in the whole
 * @throws IO when the source ends before: it changed after its size was taken
 */
export async function* sliceOf(
  source: BlobSource,
  begin: number,
  end: number,
  sent: (offset: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = begin;
  for await (const chunk of source.open(begin)) {
    const part = chunk.subarray(0, end - at);
    at += part.length;
    yield part;
    // Asked for more: what was given before is on its way.
    sent(at);
    if (at === end) return;
  }
  const name = source.label ?? source.digest;
  throw new SpacktainersError("IO", `${name} ended after ${at} of ${source.size} bytes`, {
    hint: "something changed it while it was being pushed",
  });
}
