import type { ImageLayer } from "../../image/image.ts";
import type { MadeImage } from "../../pipeline/epilogue/makeImage.ts";
import { localBlob } from "../../pipeline/images/openReference.ts";
import { type Output, type OutputNames, writeOutputs } from "../../pipeline/workspace/outputs.ts";
import type { Workshop } from "../../pipeline/workspace/workshop.ts";
import { parseRepository } from "../../registry/reference.ts";
import { writeFacts } from "../../supply/factsDocument.ts";
import type { EmitEvent } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";

const layersAtOnce = 3;

/**
 * Writes an image to this machine; layers that are in a registry are downloaded, verified.
 *
 * @throws {SpacktainersError} of the registry; `OUTPUT_EXISTS`; of the system
 */
export async function writeRebased(
  { image, facts }: Pick<MadeImage, "image" | "facts">,
  names: OutputNames,
  outputs: readonly Output[],
  {
    directory,
    force,
    emit,
  }: { readonly directory: string; readonly force: boolean; readonly emit: EmitEvent },
  { registries, signal }: Pick<Workshop, "registries" | "signal">,
): Promise<void> {
  const layers = await mapConcurrently(image.layers, layersAtOnce, async (layer): Promise<ImageLayer> => {
    if ("path" in layer) return layer;
    const repository = registries.repository(parseRepository(layer.origin));
    return { ...layer, path: await localBlob(repository, layer, layer.origin) };
  });
  await writeOutputs({ ...image, layers }, outputs, names, {
    directory,
    force,
    facts: facts === undefined ? undefined : writeFacts(facts),
    emit,
    signal,
  });
}
