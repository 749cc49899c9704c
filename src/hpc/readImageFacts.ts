/** The facts of an opened image, read once and remembered. */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { decompressStream } from "../archive/decompress.ts";
import type { EntryStream } from "../archive/entry.ts";
import { hashing } from "../archive/gzip.ts";
import { readTar } from "../archive/readTar.ts";
import type { OpenImage, SourceLayer } from "../image/imageContents.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { type Digest, digestOf, digestOfHex, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, type RunningTask, runTask } from "../util/events.ts";
import { collectImageFacts } from "./collectImageFacts.ts";
import type { ImageFacts } from "./imageFacts.ts";

/** Raised when reading an image gives other facts. */
const factsVersion = 3;

/** How to read. */
export interface ImageFactsContext {
  /** Root of what can be made again ({@link cacheHome}). */
  readonly cache: string;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal;
}

/** What of an opened image is looked at. */
export type ReadableImage = Pick<OpenImage, "config" | "configBytes" | "layers" | "contentDigest">;

/**
 * Reads the facts of an image, all layers once; they are remembered by what decides them ({@link identityOf}).
 *
 * @throws SpacktainersError ARCHIVE_INVALID, CHECKSUM_MISMATCH, LOCK_INVALID, INTERRUPTED
 */
export async function readImageFacts(image: ReadableImage, context: ImageFactsContext): Promise<ImageFacts> {
  const identity = await identityOf(image);
  const known = identity === undefined ? undefined : await rememberedFacts(identity, context.cache);
  if (known !== undefined) return known;
  const task = {
    kind: "check",
    subject: identity,
    label: "files of the image",
    bytes: image.layers.reduce((sum, { size = 0 }) => sum + size, 0),
    signal: context.signal,
  } as const;
  return runTask(context.emit, task, async ({ counted }) => {
    const facts = await collectImageFacts(
      image.layers.map((layer) => () => layerEntries(layer, counted)),
      { architecture: image.config.architecture, env: image.config.config?.Env ?? [] },
    );
    if (identity !== undefined) {
      const memory = memoryOf(identity, context.cache);
      await mkdir(dirname(memory), { recursive: true });
      await writeFileAtomically(memory, JSON.stringify(facts));
    }
    return facts;
  });
}

/**
 * What decides an image's facts. Of an OCI image its configuration: that names the layers by what they have in them, which is
 * compared when they are read, so that one image is the same in a layout, an archive and a registry, however its layers are
 * compressed. Of a SIF or squashfs file its content: name, time and ID of a file say nothing certain about it.
 *
 * @returns undefined where nothing does: the image cannot be remembered
 */
async function identityOf(image: ReadableImage): Promise<Digest | undefined> {
  if (image.contentDigest !== undefined) return image.contentDigest();
  const named = image.config.rootfs.diff_ids;
  const isComplete =
    named.length > 0 &&
    named.length === image.layers.length &&
    image.layers.every(({ diffId }, at) => diffId === named[at]);
  return isComplete ? digestOf(image.configBytes) : undefined;
}

/**
 * The facts of an image that was read before.
 *
 * @param identity of an OCI image: the digest of its configuration
 * @param cache root of what can be made again
 */
export async function rememberedFacts(identity: Digest, cache: string): Promise<ImageFacts | undefined> {
  return readFile(memoryOf(identity, cache), "utf8").then(
    (text) => JSON.parse(text) as ImageFacts,
    () => undefined,
  );
}

function memoryOf(identity: Digest, cache: string): string {
  return join(cache, "facts", `${hexOfDigest(identity).slice(0, 32)}-${factsVersion}.json`);
}

/** The entries of a layer, which must be what the image's configuration says. */
async function* layerEntries(layer: SourceLayer, counted: RunningTask["counted"]): EntryStream {
  const where = { file: layer.name };
  const hash = createHash("sha256");
  const tar = hashing(decompressStream(counted(layer.open()), { where }), hash);
  // Some tools (umoci) leave out the blocks of zeros at the end; whether the layer is whole, its digest says.
  const end = layer.diffId === undefined ? "required" : "optional";
  yield* readTar(tar, { where, special: "skip", absolute: "relative", end });
  if (layer.diffId !== undefined && digestOfHex(hash.digest("hex")) !== layer.diffId)
    throw new SpacktainersError("CHECKSUM_MISMATCH", "a layer is not what the image's configuration says", {
      place: where,
      hint: "the image is damaged; make it again",
    });
}
