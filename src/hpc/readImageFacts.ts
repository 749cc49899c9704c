/** The facts of an image in a layout, read once and remembered. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { decompressStream } from "../archive/decompress.ts";
import type { EntryStream } from "../archive/entry.ts";
import { hashing } from "../archive/gzip.ts";
import type { LayoutImage, LayoutLayer } from "../archive/oci/readOciLayout.ts";
import { readTar } from "../archive/readTar.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { digestOfHex, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { collectImageFacts } from "./collectImageFacts.ts";
import type { ImageFacts } from "./imageFacts.ts";

/** Raised when reading an image gives other facts. */
const factsVersion = 2;

/** How to read. */
export interface ImageFactsContext {
  /** Root of what can be made again ({@link cacheHome}). */
  readonly cache: string;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal;
}

/**
 * Reads the facts of an image in a layout, all layers once; they are remembered by the image's digest.
 *
 * @throws SpacktainersError ARCHIVE_INVALID, CHECKSUM_MISMATCH, LOCK_INVALID, INTERRUPTED
 */
export async function readImageFacts(image: LayoutImage, context: ImageFactsContext): Promise<ImageFacts> {
  const name = `${hexOfDigest(image.manifestDigest).slice(0, 32)}-${factsVersion}.json`;
  const memory = join(context.cache, "facts", name);
  const known = await readFile(memory, "utf8").then(
    (text) => JSON.parse(text) as ImageFacts,
    () => undefined,
  );
  if (known !== undefined) return known;
  const id = `facts ${image.manifestDigest}`;
  const bytes = image.layers.reduce((sum, layer) => sum + layer.size, 0);
  context.emit({ type: "task-start", id, kind: "check", label: "files of the image", bytes });
  try {
    const layers = image.layers.map((layer) => () => layerEntries(layer, id, context));
    const facts = await collectImageFacts(layers, {
      architecture: image.config.architecture,
      env: image.config.config?.Env ?? [],
    });
    await mkdir(dirname(memory), { recursive: true });
    await writeFileAtomically(memory, JSON.stringify(facts));
    context.emit({ type: "task-end", id, outcome: "done", bytes });
    return facts;
  } catch (error) {
    context.emit({ type: "task-end", id, outcome: "failed" });
    throw error;
  }
}

/** The entries of a layer, which must be what the image's configuration says. */
async function* layerEntries(layer: LayoutLayer, id: string, context: ImageFactsContext): EntryStream {
  const where = { file: layer.path };
  const hash = createHash("sha256");
  const compressed = watched(createReadStream(layer.path, { highWaterMark: 2 ** 18 }), id, context);
  const tar = hashing(decompressStream(compressed, { where }), hash);
  yield* readTar(tar, { where, special: "skip", absolute: "relative" });
  if (digestOfHex(hash.digest("hex")) !== layer.diffId)
    throw new SpacktainersError("CHECKSUM_MISMATCH", "a layer is not what the image's configuration says", {
      place: where,
      hint: "the image is damaged; build it again",
    });
}

async function* watched(
  chunks: AsyncIterable<Uint8Array>,
  id: string,
  { emit, signal }: ImageFactsContext,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    if (signal?.aborted === true)
      throw new SpacktainersError("INTERRUPTED", "interrupted while reading the image");
    emit({ type: "task-progress", id, bytes: chunk.length });
    yield chunk;
  }
}
