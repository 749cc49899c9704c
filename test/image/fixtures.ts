/** Small images for tests. */
import { join } from "node:path";
import type { Entry } from "../../src/archive/entry.ts";
import { type CompressionFormat, compressionSettings } from "../../src/archive/layerCompression.ts";
import { layerMediaType } from "../../src/archive/oci/types.ts";
import { writeFragment } from "../../src/archive/writeFragment.ts";
import { assembleImage, type Image, type ImageLayer, type ImageRequest } from "../../src/image/image.ts";
import { entriesOf } from "../archive/streams.ts";

export async function layer(
  directory: string,
  name: string,
  entries: Entry[],
  format: CompressionFormat = "gzip",
): Promise<ImageLayer> {
  const path = join(directory, name);
  const compression = compressionSettings(format);
  const facts = await writeFragment(path, entriesOf(entries), { whiteouts: "keep", compression });
  return { path, ...facts, mediaType: layerMediaType(format), createdBy: `spacktainers: ${name}` };
}

export function image(layers: readonly ImageLayer[], more: Partial<ImageRequest> = {}): Image {
  return assembleImage({
    architecture: "amd64",
    layers,
    created: 1_700_000_000,
    env: new Map([
      ["LANG", "C"],
      ["PATH", "/opt/view/bin:/bin"],
    ]),
    ...more,
  });
}
