import type { Place } from "../util/errors.ts";
import { readExtent } from "./fileExtent.ts";
import type { FileExtent, LayerDescriptor, OciLayer } from "./layer.ts";

/** What else is known of a layer in a file. */
export interface FileLayerOptions {
  /** A repository that has it as well: `host/path`. */
  readonly origin?: string | undefined;
  /** The bytes with this digest are known to have this diffId: whoever wrote them worked out both. */
  readonly isOurs?: boolean;
  /** For messages; default the file. */
  readonly place?: Place;
}

/** A layer in a file, or in a part of one. */
export function fileLayer(
  facts: LayerDescriptor,
  extent: FileExtent,
  options: FileLayerOptions = {},
): OciLayer {
  const { digest, diffId } = facts;
  const place = options.place ?? { file: extent.path };
  // Bytes that were found to have this diffId have it as long as they have the same digest.
  let isPaired = options.isOurs === true;
  return {
    ...facts,
    place,
    extent,
    origin: options.origin,
    local: () => Promise.resolve(extent),
    blob: () => whenRead(({ verifiedBytes }) => verifiedBytes(readExtent(extent), digest, place)),
    tar: (onStored) =>
      whenRead(({ verifiedTar }) =>
        verifiedTar(readExtent(extent), { digest, diffId: isPaired ? undefined : diffId }, place, {
          onStored,
          onVerified() {
            isPaired = true;
          },
        }),
      ),
  };
}

/** Loads what decompresses and verifies with the first bytes: most of those who ask about an image read none. */
async function* whenRead(
  open: (streams: typeof import("./verifiedStream.ts")) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  yield* open(await import("./verifiedStream.ts"));
}
