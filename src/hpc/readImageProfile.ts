/** The profile of an opened image, read once and remembered. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../image/image.ts";
import { bytesOfLayers } from "../image/layer.ts";
import { layerEntries } from "../image/layerEntries.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { type Digest, hexOfDigest } from "../util/digest.ts";
import { type EmitEvent, runTask } from "../util/events.ts";
import { collectImageProfile } from "./collectImageProfile.ts";
import type { ImageProfile } from "./imageProfile.ts";

/** Raised when reading an image gives another profile. */
const factsVersion = 5;

/** How to read. */
export interface ImageProfileContext {
  /** Root of what can be made again ({@link cacheHome}). */
  readonly cache: string;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal;
}

/**
 * Reads the profile of an image, all layers once; it is remembered by what decides its files (`Image.contentDigest`).
 *
 * @throws SpacktainersError ARCHIVE_INVALID, CHECKSUM_MISMATCH, LOCK_INVALID, INTERRUPTED; of reading the image
 */
export async function readImageProfile(image: Image, context: ImageProfileContext): Promise<ImageProfile> {
  const { cache, emit, signal } = context;
  const identity = await image.contentDigest();
  const known = identity === undefined ? undefined : await rememberedFacts(identity, cache);
  if (known !== undefined) return known;
  const [{ value: config }, layers] = [await image.config(), await image.layers()];
  const task = {
    kind: "check",
    subject: identity,
    label: "files of the image",
    bytes: bytesOfLayers(layers),
    signal,
  } as const;
  return runTask(emit, task, async ({ progress }) => {
    const facts = await collectImageProfile(
      layers.map((layer) => () => layerEntries(layer, { onStored: progress, signal })),
      {
        architecture: config.architecture,
        env: config.config?.Env ?? [],
        start: image.hasOwnScripts
          ? undefined
          : [...(config.config?.Entrypoint ?? []), ...(config.config?.Cmd ?? [])],
        workdir: config.config?.WorkingDir || "/",
      },
    );
    if (identity !== undefined) {
      // What cannot be remembered is found out again.
      await writeFileAtomically(memoryOf(identity, cache), JSON.stringify(facts)).catch(() => {});
    }
    return facts;
  });
}

async function rememberedFacts(identity: Digest, cache: string): Promise<ImageProfile | undefined> {
  return readFile(memoryOf(identity, cache), "utf8").then(
    (text) => JSON.parse(text) as ImageProfile,
    () => undefined,
  );
}

function memoryOf(identity: Digest, cache: string): string {
  return join(cache, "facts", `${hexOfDigest(identity).slice(0, 32)}-${factsVersion}.json`);
}
