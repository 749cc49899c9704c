import type { EntryStream } from "../archive/entry.ts";
import { readTar } from "../archive/readTar.ts";
import { stopIfAborted } from "../util/interruption.ts";
import type { Layer } from "./layer.ts";
import { isMalformed } from "./verifiedStream.ts";

/** How to read a layer's entries. */
export interface LayerEntriesOptions {
  /** Told of bytes as they are read, as they are stored. */
  readonly onStored?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
  /** Whether entries get their extended attributes; default false. */
  readonly xattrs?: boolean;
  /** Told of devices and FIFOs, which are left out. */
  readonly onSpecial?: ((path: string) => void) | undefined;
}

/**
 * The entries of a layer, which is what its digests say when they have all been read. Devices are left out: they need root,
 * and runtimes make their own.
 *
 * @throws SpacktainersError CHECKSUM_MISMATCH, ARCHIVE_INVALID, ARCHIVE_UNSAFE, INTERRUPTED; of the system and of the registry
 */
export async function* layerEntries(layer: Layer, options: LayerEntriesOptions = {}): EntryStream {
  const { onStored, signal, xattrs = false, onSpecial } = options;
  const tar = layer.tar(onStored);
  // Not closed by whoever reads it: a malformed archive is first compared with its digest.
  const chunks: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next() {
        stopIfAborted(signal);
        return tar.next();
      },
    }),
  };
  try {
    // Some tools (umoci) leave out the blocks of zeros at the end; whether the layer is whole, its digests say.
    const end = layer.digest === undefined && layer.diffId === undefined ? "required" : "optional";
    yield* readTar(chunks, {
      where: layer.place,
      special: "skip",
      onSpecial,
      xattrs,
      absolute: "relative",
      end,
    });
  } catch (thrown) {
    if (isMalformed(thrown)) await tar.throw(thrown);
    throw thrown;
  } finally {
    await tar.return();
  }
}
