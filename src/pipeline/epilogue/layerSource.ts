/** Layers of an image as epilogues read them: on this machine, or fetched when something asks for them. */
import { createReadStream } from "node:fs";
import { decompressStream } from "../../archive/decompress.ts";
import type { EntryStream } from "../../archive/entry.ts";
import { readTar } from "../../archive/readTar.ts";
import { baseCacheDirectory, openBaseStore } from "../../base/baseStore.ts";
import type { AnyLayer } from "../../image/image.ts";
import { downloadBlob } from "../../registry/blobs.ts";
import { parseRepository, type RepositoryName } from "../../registry/reference.ts";
import type { Repository } from "../../registry/registry.ts";
import type { LayerSource } from "../../run/ownedLayers.ts";

/**
 * A layer to be read.
 *
 * @param repository opens the repository that has a layer which is not here
 */
export function layerSource(layer: AnyLayer, repository: (name: RepositoryName) => Repository): LayerSource {
  const { diffId, digest, size, mediaType } = layer;
  let local: Promise<string> | undefined;
  const find = (): Promise<string> => {
    local ??= "path" in layer ? Promise.resolve(layer.path) : fetched(layer, repository);
    return local;
  };
  return {
    diffId,
    async blob() {
      return { path: await find(), digest, size, mediaType };
    },
    async *entries(): EntryStream {
      const path = await find();
      const where = { file: path };
      yield* readTar(decompressStream(createReadStream(path, { highWaterMark: 1 << 20 }), { where }), {
        where,
        xattrs: true,
        special: "skip",
        absolute: "relative",
        end: "optional",
      });
    },
  };
}

async function fetched(
  layer: Exclude<AnyLayer, { readonly path: string }>,
  repository: (name: RepositoryName) => Repository,
): Promise<string> {
  const store = openBaseStore(baseCacheDirectory());
  const known = await store.layers.find(layer.digest);
  if (known !== undefined) return known;
  const temporary = await store.layers.temporary();
  await downloadBlob(repository(parseRepository(layer.origin)), layer, temporary, {
    label: `layer of ${layer.origin}`,
    partialDirectory: store.incoming,
  });
  return store.layers.adopt(temporary, layer.digest);
}
