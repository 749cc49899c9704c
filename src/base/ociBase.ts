/** A base from an image in an OCI layout directory: its layers as they are. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { decompressStream } from "../archive/decompress.ts";
import { hashing } from "../archive/gzip.ts";
import { type LayoutImage, type LayoutLayer, readOciLayout } from "../archive/oci/readOciLayout.ts";
import type { ImageConfig } from "../archive/oci/types.ts";
import { readTar } from "../archive/readTar.ts";
import { digestOfHex } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { type BaseStore, keyOf } from "./baseStore.ts";
import { findBuilt, rememberBuilt } from "./builtBase.ts";
import { collectInventory } from "./collectInventory.ts";
import { watchDpkgStatus } from "./dpkgStatus.ts";
import { stopIfAborted } from "./interruption.ts";
import { libcVersionOf } from "./libc.ts";
import { type LayerChange, mergeInventories, splitWhiteouts } from "./mergeInventories.ts";
import type {
  Base,
  BaseImageConfig,
  BaseLayer,
  BasePackage,
  BuildBaseOptions,
  OciBaseSpec,
} from "./types.ts";

/** What reading a layer gives; stored, since reading a large one takes seconds. */
interface LayerFacts extends LayerChange {
  readonly packages?: readonly BasePackage[];
}

/** Raised when reading a layer gives other facts. */
const factsVersion = 2;

/**
 * Reads an image as a base: layers stay where they are, their inventories are made.
 * @throws SpacktainersError NOT_FOUND, ARCHIVE_INVALID, CHECKSUM_MISMATCH, NOT_SUPPORTED, USAGE (several images fit)
 */
export async function readOciBase(
  spec: OciBaseSpec,
  options: BuildBaseOptions,
  store: BaseStore,
): Promise<Base> {
  const { emit, signal } = options;
  const query = {
    platform: { os: "linux", architecture: options.architecture },
    ...(spec.reference === undefined ? {} : { reference: spec.reference }),
  };
  // Digests of layers are compared when they are read for the first time.
  const image = await readOciLayout(spec.path, { ...query, verifyLayers: false });
  const key = keyOf(["oci", factsVersion, image.manifestDigest]);
  const paths = new Map(image.layers.map((layer) => [layer.digest, layer.path]));
  const known = await findBuilt(store, key, (digest) => Promise.resolve(paths.get(digest)));
  if (known !== undefined) return known;
  await readOciLayout(spec.path, query);
  const facts: LayerFacts[] = [];
  for (const layer of image.layers) {
    stopIfAborted(signal);
    facts.push(await layerFacts(layer, store, emit));
  }
  const base = describe(image, facts, key);
  await rememberBuilt(store, base);
  return base;
}

function describe(image: LayoutImage, facts: readonly LayerFacts[], key: Base["key"]): Base {
  const inventory = mergeInventories(facts);
  const packages = facts.findLast((one) => one.packages !== undefined)?.packages ?? [];
  const libcVersion = libcVersionOf(inventory, packages);
  const layers = image.layers.map(
    (layer, at): BaseLayer => ({ ...layer, inventory: facts[at]?.inventory ?? { entries: [] } }),
  );
  return {
    layers,
    inventory,
    packages,
    config: baseConfig(image.config),
    key,
    ...(libcVersion === undefined ? {} : { libcVersion }),
  };
}

async function layerFacts(layer: LayoutLayer, store: BaseStore, emit: EmitEvent): Promise<LayerFacts> {
  const key = keyOf(["layer", factsVersion, layer.diffId]);
  const known = await store.read<LayerFacts>("inventories", key);
  if (known !== undefined) return known;
  const id = `base:${layer.digest}`;
  emit({ type: "task-start", id, kind: "base", label: "layer of the base image", bytes: layer.size });
  const where = { file: layer.path };
  try {
    const bytes = decompressStream(createReadStream(layer.path, { highWaterMark: 2 ** 18 }), { where });
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
    const facts: LayerFacts = {
      ...splitWhiteouts(collected.inventory()),
      ...(packages === undefined ? {} : { packages }),
    };
    await store.write("inventories", key, facts);
    emit({ type: "task-end", id, outcome: "done", bytes: layer.size });
    return facts;
  } catch (error) {
    emit({ type: "task-end", id, outcome: "failed" });
    throw error;
  }
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
