/** Carries a Dockerfile out on an image: its instructions one after the other, each layer found or made. */
import { createReadStream } from "node:fs";
import { contentOf } from "../../archive/content.ts";
import { decompressStream } from "../../archive/decompress.ts";
import type { EntryStream } from "../../archive/entry.ts";
import { imageMtime } from "../../archive/entry.ts";
import type { Inventory } from "../../archive/inventory.ts";
import { encodingOf } from "../../archive/layerCompression.ts";
import { layerMediaType } from "../../archive/oci/types.ts";
import { readTar } from "../../archive/readTar.ts";
import { writeFragment } from "../../archive/writeFragment.ts";
import { collectInventory } from "../../base/collectInventory.ts";
import type { Evaluation } from "../../dockerfile/evaluate.ts";
import type { Step } from "../../dockerfile/step.ts";
import { type FragmentKey, fragmentKey, type StoredFragment } from "../../image/fragmentStore.ts";
import type { LayerSource } from "../../run/ownedLayers.ts";
import { digestOf } from "../../util/digest.ts";
import { imagePath } from "../../view/fileTree.ts";
import { type CachedLibrary, ldSoCachePath, librariesIn, writeLdSoCache } from "../../view/ldSoCache.ts";
import { cacheDirectories, ldSoConfPath, parseLdSoConf } from "../../view/ldSoConf.ts";
import { LayerMaker, layOver } from "./epilogueLayers.ts";
import type { EpilogueTools, ImageBelow } from "./epilogueTools.ts";
import { keyOfStep, networkOf } from "./stepKey.ts";

/** A layer of an epilogue that was found elsewhere. */
export interface FoundLayer<T> {
  readonly layer: T;
  readonly source: LayerSource;
  readonly inventory: Inventory;
}

/** A layer of an epilogue. */
export interface EpilogueLayer<T> {
  readonly key: FragmentKey;
  /** For the image's history: the instruction. */
  readonly createdBy: string;
  /** On this machine, or where else it was found. */
  readonly made: { readonly fragment: StoredFragment } | { readonly found: T };
  readonly inventory: Inventory;
}

/** What else carrying out needs. */
export interface ApplyOptions<T> {
  /** Libraries that `/etc/ld.so.cache` of the image below names. */
  readonly libraries: readonly CachedLibrary[];
  /** Where the view is. */
  readonly viewPath: string | undefined;
  /** Looks for a layer elsewhere. */
  readonly find: (key: FragmentKey) => Promise<FoundLayer<T> | undefined>;
}

/** What became of the image. */
export interface AppliedEpilogue<T> {
  /** From bottom to top. */
  readonly layers: readonly EpilogueLayer<T>[];
  /** How many of them were there already. */
  readonly reused: number;
  /** What `/etc/ld.so.cache` says now. */
  readonly libraries: readonly CachedLibrary[];
}

/**
 * Carries an epilogue out.
 *
 * @param below the image; its tree becomes that of the result
 * @throws SpacktainersError of copying and running
 */
export async function applyEpilogue<T>(
  { steps }: Pick<Evaluation, "steps">,
  below: ImageBelow,
  tools: EpilogueTools,
  options: ApplyOptions<T>,
): Promise<AppliedEpilogue<T>> {
  const maker = new LayerMaker(tools);
  const layers: EpilogueLayer<T>[] = [];
  let current = below;
  let reused = 0;
  const lay = (layer: EpilogueLayer<T>, source: LayerSource): void => {
    layOver(current.tree, layer.inventory);
    layers.push(layer);
    current = {
      ...current,
      layers: [...current.layers, source],
      foreign: [...current.foreign, source],
    };
    maker.forget();
  };
  for (const step of steps) {
    const { change } = step;
    if (change === undefined) continue;
    // A folder that is there needs no layer.
    if (change.kind === "directory" && current.tree.isDirectory(change.path)) continue;
    const key = await keyOfStep(step, current, tools);
    if (key === undefined) continue;
    const createdBy = historyOf(step);
    const again = tools.refresh && change.kind === "run" && networkOf(change, tools.network) === "host";
    if (again) await tools.store.forget(key);
    const here = await tools.store.find(key);
    const found = here !== undefined || again ? undefined : await options.find(key);
    if (found !== undefined) {
      reused++;
      lay({ key, createdBy, made: { found: found.layer }, inventory: found.inventory }, found.source);
      continue;
    }
    if (here !== undefined) reused++;
    const fragment = here ?? (await tools.store.make(key, (path) => maker.make(step, current, path)));
    lay(
      { key, createdBy, made: { fragment }, inventory: await fragment.inventory() },
      fragmentSource(fragment),
    );
  }
  const cache = await refreshedCache(current, layers, tools, options);
  if (cache === undefined) return { layers, reused, libraries: options.libraries };
  lay(cache.layer, cache.source);
  return { layers, reused, libraries: cache.libraries };
}

/** A layer in the store, to be read. */
export function fragmentSource({
  path,
  diffId,
  digest,
  size,
  compression,
}: Pick<StoredFragment, "path" | "diffId" | "digest" | "size" | "compression">): LayerSource {
  const where = { file: path };
  return {
    diffId,
    blob: () =>
      Promise.resolve({
        path,
        digest,
        size,
        mediaType: layerMediaType(compression),
        bytes: () => createReadStream(path),
      }),
    entries: (): EntryStream =>
      readTar(decompressStream(createReadStream(path, { highWaterMark: 1 << 20 }), { where }), {
        where,
        xattrs: true,
        special: "skip",
        absolute: "relative",
      }),
  };
}

/** The line of an image's history: the instruction as it was written. */
function historyOf({ instruction }: Step): string {
  const text = instruction.text.replaceAll(/\s+/g, " ");
  return `spacktainers: ${instruction.keyword} ${text}`.slice(0, 1000);
}

/**
 * The loader's cache is made again when there are other libraries than before, or when something else was made in its place: programs
 * find what commands installed, and the libraries of the view.
 */
async function refreshedCache<T>(
  { tree }: ImageBelow,
  layers: readonly EpilogueLayer<T>[],
  { architecture, store, compression }: EpilogueTools,
  { libraries, viewPath }: ApplyOptions<T>,
): Promise<
  | {
      readonly layer: EpilogueLayer<T>;
      readonly source: LayerSource;
      readonly libraries: readonly CachedLibrary[];
    }
  | undefined
> {
  const configured = tree.exists(ldSoConfPath)
    ? parseLdSoConf({
        read: (path) => tree.resolve(path)?.entry.text,
        list: (path) => (tree.isDirectory(path) ? tree.children(tree.resolve(path)?.path ?? "") : []),
      })
    : undefined;
  const found = librariesIn(tree, cacheDirectories(architecture, viewPath, configured));
  const path = imagePath(ldSoCachePath);
  const touched = layers.some(({ inventory }) => inventory.entries.some((entry) => entry.path === path));
  const bytes = writeLdSoCache(found);
  if (!touched && bytes.equals(writeLdSoCache(libraries))) return undefined;
  const key = fragmentKey({
    ldSoCache: 1,
    compression: encodingOf(compression),
    content: digestOf(bytes),
  });
  const fragment = await store.make(key, async (temporary) => {
    const base = { uid: 0, gid: 0, mtime: imageMtime };
    const etc = { type: "directory", path: "etc", mode: tree.at("etc")?.mode ?? 0o755, ...base } as const;
    const file = {
      type: "file",
      path,
      mode: 0o644,
      size: bytes.length,
      content: contentOf(bytes),
      ...base,
    } as const;
    const collected = collectInventory(
      (async function* entries(): EntryStream {
        yield etc;
        yield file;
      })(),
    );
    return {
      facts: await writeFragment(temporary, collected.entries, { compression }),
      inventory: collected.inventory(),
    };
  });
  return {
    layer: {
      key,
      createdBy: "spacktainers: ld.so.cache",
      made: { fragment },
      inventory: await fragment.inventory(),
    },
    source: fragmentSource(fragment),
    libraries: found,
  };
}
