import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { decompressStream } from "../archive/decompress.ts";
import { type FragmentDescriptor, HashingSink, layerHead, layerTrailer } from "../archive/writeFragment.ts";
import { digestOfHex } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";

/** A fragment and where it is. */
export type FragmentFile = FragmentDescriptor & { readonly path: string };

/**
 * Puts several fragments together into one layer: the directories above them once, their bodies as they are, the end.
 * Nothing is compressed again; the bodies are decompressed to learn the digest of the uncompressed tar.
 *
 * @param path of the new file; must not exist
 * @param fragments in order, all compressed in the same format
 */
export async function joinFragments(
  path: string,
  fragments: readonly FragmentFile[],
): Promise<FragmentDescriptor> {
  const parents = [...new Set(fragments.flatMap((fragment) => fragment.parents))].sort();
  const compression = fragments[0]?.compression ?? "gzip";
  if (fragments.some((fragment) => fragment.compression !== compression))
    throw new SpacktainersError("INTERNAL", "fragments of different compression cannot be joined");
  const head = await layerHead(parents, compression);
  const tarHash = createHash("sha256").update(head.tar);
  let tarSize = head.tar.length;
  const file = await open(path, "wx", 0o444);
  try {
    const sink = new HashingSink(file);
    await sink.write(head.packed);
    const bodyStart = sink.size;
    for (const fragment of fragments) {
      if (fragment.bodyStart === fragment.bodyEnd) continue;
      for await (const chunk of decompressStream(copying(bodyOf(fragment), sink), {
        where: { file: fragment.path },
      })) {
        tarHash.update(chunk);
        tarSize += chunk.length;
      }
    }
    const bodyEnd = sink.size;
    const trailer = await layerTrailer(compression);
    await sink.write(trailer.packed);
    tarHash.update(trailer.tar);
    tarSize += trailer.tar.length;
    const diffId = digestOfHex(tarHash.digest("hex"));
    return {
      compression,
      digest: sink.digest(),
      size: sink.size,
      diffId,
      tarSize,
      bodyStart,
      bodyEnd,
      parents,
    };
  } finally {
    await file.close();
  }
}

function bodyOf(fragment: FragmentFile): AsyncIterable<Uint8Array> {
  return createReadStream(fragment.path, {
    start: fragment.bodyStart,
    end: fragment.bodyEnd - 1,
    highWaterMark: 256 * 1024,
  });
}

async function* copying(
  chunks: AsyncIterable<Uint8Array>,
  sink: HashingSink,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    await sink.write(chunk);
    yield chunk;
  }
}
