/** Small images for tests. */
import { join } from "node:path";
import type { Entry } from "../../src/archive/entry.ts";
import { type CompressionFormat, compressionSettings } from "../../src/archive/layerCompression.ts";
import { layerMediaType } from "../../src/archive/oci/types.ts";
import { writeFragment } from "../../src/archive/writeFragment.ts";
import { assembleImage, type ImageRequest } from "../../src/image/assembleImage.ts";
import { fileLayer } from "../../src/image/fileLayer.ts";
import type { OciImage } from "../../src/image/image.ts";
import type { OciLayer } from "../../src/image/layer.ts";
import { entriesOf } from "../archive/streams.ts";

export async function layer(
  directory: string,
  name: string,
  entries: Entry[],
  format: CompressionFormat = "gzip",
): Promise<OciLayer> {
  const path = join(directory, name);
  const compression = compressionSettings(format);
  const facts = await writeFragment(path, entriesOf(entries), { whiteouts: "keep", compression });
  const { digest, size, diffId } = facts;
  const createdBy = `spacktainers: ${name}`;
  const described = {
    digest,
    size,
    diffId,
    mediaType: layerMediaType(format),
    createdBy,
    annotations: undefined,
  };
  return fileLayer(described, { path, offset: 0, size });
}

export function image(layers: readonly OciLayer[], more: Partial<ImageRequest> = {}): OciImage {
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
