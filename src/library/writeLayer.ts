import type { EntryStream } from "../archive/entry.ts";
import { type CompressionSettings, compressionSettings } from "../archive/layerCompression.ts";
import { layerMediaType } from "../archive/oci/types.ts";
import { writeFragment } from "../archive/writeFragment.ts";
import { fileLayer } from "../image/fileLayer.ts";
import type { OciLayer } from "../image/layer.ts";

/** How a layer is written; everything may be left out. */
export interface WriteLayerOptions {
  /** Default gzip at its usual level. */
  readonly compression?: CompressionSettings | undefined;
  /** Its line in the image's history. */
  readonly createdBy?: string | undefined;
}

/**
 * Writes files as a layer. The same entries give the same bytes.
 *
 * @param path of the file to make; it must not exist
 * @param entries parents before children; folders that are missing are added
 * @throws {SpacktainersError} what reading `entries` throws; `ARCHIVE_UNSAFE` for names that mean deletion in a layer; of the system
 */
export async function writeLayer(
  path: string,
  entries: EntryStream,
  { compression = compressionSettings(), createdBy = "spacktainers" }: WriteLayerOptions = {},
): Promise<OciLayer> {
  const { digest, size, diffId } = await writeFragment(path, entries, { compression });
  const mediaType = layerMediaType(compression.format);
  const facts = { digest, size, diffId, mediaType, createdBy, annotations: undefined };
  return fileLayer(facts, { path, offset: 0, size }, { isOurs: true });
}
