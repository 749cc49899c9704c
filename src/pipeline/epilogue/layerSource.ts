import type { EntryStream } from "../../archive/entry.ts";
import { readTar } from "../../archive/readTar.ts";
import type { OciLayer } from "../../image/layer.ts";
import type { LayerSource } from "../../run/ownedLayers.ts";

/** A layer of an image as epilogues read it: on this machine, or fetched when something asks for it. */
export function layerSource(layer: OciLayer): LayerSource {
  const { diffId, digest, size, mediaType, place } = layer;
  return {
    diffId,
    async blob() {
      const { path, offset } = await layer.local();
      return { digest, size, mediaType, path: offset === 0 ? path : undefined, bytes: () => layer.blob() };
    },
    async *entries(): EntryStream {
      // Here for good: a sandbox and a reader of owners may both ask for it, and so may the next run.
      await layer.local();
      yield* readTar(layer.tar(), {
        where: place,
        xattrs: true,
        special: "skip",
        absolute: "relative",
        end: "optional",
      });
    },
  };
}
