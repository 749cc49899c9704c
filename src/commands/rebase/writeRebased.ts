import type { ImageLayer } from "../../image/image.ts";
import type { MadeImage } from "../../pipeline/assemble/makeImage.ts";
import { localBlob } from "../../pipeline/images/openReference.ts";
import { type Output, type OutputNames, writeOutput } from "../../pipeline/workspace/outputs.ts";
import type { Workshop } from "../../pipeline/workspace/workshop.ts";
import { parseRepository } from "../../registry/reference.ts";
import { writeFacts } from "../../supply/factsDocument.ts";
import type { EmitEvent } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { shownPath } from "../../util/shownPath.ts";

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
  const size = layers.reduce((sum, layer) => sum + layer.size, image.config.descriptor.size);
  emit({ type: "stage", stage: "Writing the image" });
  for (const output of outputs) {
    signal.throwIfAborted();
    const id = `write:${output.path}`;
    const label = `${output.kind}:${shownPath(output.path, directory)}`;
    emit({ type: "task-start", id, kind: "write", label, bytes: size });
    await writeOutput({ ...image, layers }, output, {
      reference: output.kind === "docker-archive" ? `${names.name}:${names.version}` : names.version,
      force,
      facts: facts === undefined ? undefined : writeFacts(facts),
      onBytes: (bytes) => emit({ type: "task-progress", id, bytes }),
      emit,
      signal,
    });
    emit({ type: "task-end", id, outcome: "done", bytes: size });
  }
}
