/** Layers of a finished image as layers of a base: read once each, whatever image they are of. */
import type { ImageConfig } from "../archive/oci/types.ts";
import type { LayerDescriptor, OciLayer } from "../image/layer.ts";
import { layerEntries } from "../image/layerEntries.ts";
import type { Digest } from "../util/digest.ts";
import { runTask } from "../util/events.ts";
import { type BaseStore, baseKeyOf } from "./baseStore.ts";
import { collectInventory } from "./collectInventory.ts";
import { watchDpkgStatus } from "./dpkgStatus.ts";
import { libcVersionOf } from "./libc.ts";
import { type LayerChange, mergeInventories, splitWhiteouts } from "./mergeInventories.ts";
import type { Base, BaseImageConfig, BasePackage, BuildBaseOptions } from "./types.ts";

/** What reading a layer gives; stored, since reading a large one takes seconds. */
export interface LayerReading extends LayerChange {
  readonly packages?: readonly BasePackage[] | undefined;
}

/** Part of the keys of bases: raised when reading a layer gives something else. */
export const readingVersion = 2;

/** Raised when what is kept of a reading changes its form, or its key. */
const keptVersion = 3;

/**
 * What is kept of a layer's reading belongs to its bytes and to what they unpack to, which were compared when it was read: an
 * image whose configuration lies about another layer of the same content gets nothing from it.
 */
function readingKey({ digest, diffId }: Pick<LayerDescriptor, "digest" | "diffId">): Digest {
  return baseKeyOf(["layer", keptVersion, digest, diffId]);
}

/** What reading a layer gave before; undefined when it was not read. */
export function knownReading(layer: LayerDescriptor, store: BaseStore): Promise<LayerReading | undefined> {
  return store.read<LayerReading>("inventories", readingKey(layer));
}

/**
 * Reads what is in a layer.
 *
 * @throws SpacktainersError ARCHIVE_INVALID; CHECKSUM_MISMATCH when it is not what its digest, or the image's configuration, says
 */
export async function readLayer(
  layer: OciLayer,
  store: BaseStore,
  { emit, signal }: Pick<BuildBaseOptions, "emit" | "signal">,
): Promise<LayerReading> {
  const known = await knownReading(layer, store);
  if (known !== undefined) return known;
  const task = {
    kind: "base",
    subject: layer.digest,
    label: "layer of the base image",
    bytes: layer.size,
    signal,
  } as const;
  return runTask(emit, task, async ({ progress }) => {
    const watch = watchDpkgStatus(layerEntries(layer, { onStored: progress, signal }));
    const collected = collectInventory(watch.entries, { addParents: false });
    // Reading an entry's facts reads what is needed of its content; the rest is skipped.
    for await (const _ of collected.entries);
    const packages = watch.packages();
    const reading: LayerReading = {
      ...splitWhiteouts(collected.inventory()),
      packages,
    };
    await store.write("inventories", readingKey(layer), reading);
    return reading;
  });
}

/** A layer, and what is in it. */
export interface ReadLayer {
  readonly layer: OciLayer;
  readonly reading: LayerReading;
}

/**
 * The base that an image's layers make together.
 * @param layers from bottom to top, with their readings
 */
export function baseOfLayers(layers: readonly ReadLayer[], config: ImageConfig, key: Digest): Base {
  const readings = layers.map(({ reading }) => reading);
  const inventory = mergeInventories(readings);
  const packages = readings.findLast((one) => one.packages !== undefined)?.packages ?? [];
  const libcVersion = libcVersionOf(inventory, packages);
  return {
    layers: layers.map(({ layer, reading }) => ({ ...layer, inventory: reading.inventory })),
    inventory,
    packages,
    config: baseConfig(config),
    key,
    libcVersion,
  };
}

/** What an image's configuration says of how it is run. */
export function baseConfig({ config = {} }: ImageConfig): BaseImageConfig {
  return {
    env: config.Env ?? [],
    labels: config.Labels ?? {},
    entrypoint: config.Entrypoint,
    cmd: config.Cmd,
    user: config.User,
    workingDir: config.WorkingDir,
  };
}
