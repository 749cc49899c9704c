/** Layers of a finished image as layers of a base: read once each, whatever image they are of. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { decompressStream } from "../archive/decompress.ts";
import { hashing } from "../archive/gzip.ts";
import type { LayoutLayer } from "../archive/oci/readOciLayout.ts";
import type { ImageConfig } from "../archive/oci/types.ts";
import { readTar } from "../archive/readTar.ts";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, runTask } from "../util/events.ts";
import { type BaseStore, keyOf } from "./baseStore.ts";
import { collectInventory } from "./collectInventory.ts";
import { watchDpkgStatus } from "./dpkgStatus.ts";
import { libcVersionOf } from "./libc.ts";
import { type LayerChange, mergeInventories, splitWhiteouts } from "./mergeInventories.ts";
import type { AnyBaseLayer, Base, BaseImageConfig, BasePackage } from "./types.ts";

/** What reading a layer gives; stored, since reading a large one takes seconds. */
export interface LayerReading extends LayerChange {
  readonly packages?: readonly BasePackage[];
}

/** Raised when reading a layer gives something else. */
export const readingVersion = 2;

/** What reading a layer gave before; undefined when it was not read. */
export function knownReading(diffId: Digest, store: BaseStore): Promise<LayerReading | undefined> {
  return store.read<LayerReading>("inventories", keyOf(["layer", readingVersion, diffId]));
}

/**
 * Reads what is in a layer.
 *
 * @throws SpacktainersError ARCHIVE_INVALID; CHECKSUM_MISMATCH when it is not what the image's configuration says
 */
export async function readLayer(
  layer: Pick<LayoutLayer, "path" | "digest" | "size" | "diffId">,
  store: BaseStore,
  emit: EmitEvent,
): Promise<LayerReading> {
  const known = await knownReading(layer.diffId, store);
  if (known !== undefined) return known;
  const task = {
    kind: "base",
    subject: layer.digest,
    label: "layer of the base image",
    bytes: layer.size,
  } as const;
  return runTask(emit, task, async ({ counted }) => {
    const where = { file: layer.path };
    const file = counted(createReadStream(layer.path, { highWaterMark: 2 ** 18 }));
    const bytes = decompressStream(file, { where });
    const hash = createHash("sha256");
    const entries = readTar(hashing(bytes, hash), { where, special: "skip", absolute: "relative" });
    const watch = watchDpkgStatus(entries);
    const collected = collectInventory(watch.entries, { addParents: false });
    // Reading an entry's facts reads what is needed of its content; the rest is passed over.
    for await (const _ of collected.entries);
    if (digestOfHex(hash.digest("hex")) !== layer.diffId)
      throw new SpacktainersError("CHECKSUM_MISMATCH", "a layer is not what the image's configuration says", {
        place: where,
      });
    const packages = watch.packages();
    const reading: LayerReading = {
      ...splitWhiteouts(collected.inventory()),
      ...(packages === undefined ? {} : { packages }),
    };
    await store.write("inventories", keyOf(["layer", readingVersion, layer.diffId]), reading);
    return reading;
  });
}

/**
 * The base that an image's layers make together.
 *
 * @param layers from bottom to top, with their readings
 */
export function baseOfLayers<L extends AnyBaseLayer>(
  layers: readonly { readonly layer: L; readonly reading: LayerReading }[],
  config: ImageConfig,
  key: Digest,
): Base<L> {
  const readings = layers.map(({ reading }) => reading);
  const inventory = mergeInventories(readings);
  const packages = readings.findLast((one) => one.packages !== undefined)?.packages ?? [];
  const libcVersion = libcVersionOf(inventory, packages);
  return {
    layers: layers.map(({ layer }) => layer),
    inventory,
    packages,
    config: baseConfig(config),
    key,
    ...(libcVersion === undefined ? {} : { libcVersion }),
  };
}

function baseConfig({ config = {} }: ImageConfig): BaseImageConfig {
  return {
    env: config.Env ?? [],
    labels: config.Labels ?? {},
    ...(config.Entrypoint === undefined ? {} : { entrypoint: config.Entrypoint }),
    ...(config.Cmd === undefined ? {} : { cmd: config.Cmd }),
    ...(config.User === undefined ? {} : { user: config.User }),
    ...(config.WorkingDir === undefined ? {} : { workingDir: config.WorkingDir }),
  };
}
