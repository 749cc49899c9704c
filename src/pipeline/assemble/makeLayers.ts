/** The layers of an image's packages: each taken from where it is already, else made. */
import type { Inventory } from "../../archive/inventory.ts";
import { layerMediaType } from "../../archive/oci/types.ts";
import {
  layerContentsAnnotation,
  layerKeysAnnotation,
  layerPackagesAnnotation,
} from "../../image/annotations.ts";
import { fileLayer } from "../../image/fileLayer.ts";
import type { FragmentKey, FragmentStore, StoredFragment } from "../../image/fragmentStore.ts";
import { joinFragments } from "../../image/joinFragments.ts";
import type { LayerDescriptor, OciLayer } from "../../image/layer.ts";
import type { ContentsSource } from "../../publish/contentsArtifact.ts";
import { contentsOf, formatContentsId } from "../../publish/layerContents.ts";
import type { PublishedLayer, PublishedLayers } from "../../publish/publishedLayers.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { packageTask } from "../../spec/packageTask.ts";
import { reportReused } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { type FragmentResources, makeFragments } from "../plan/makeFragments.ts";
import type { PackageLayer } from "../plan/packageLayers.ts";

/** Records of published layers read at a time. */
const recordsAtOnce = 8;

/** A layer of packages whose contents are known; its bytes may still have to be put together. */
export interface ReadyLayer {
  readonly planned: PackageLayer;
  /** Of its members, in their order. */
  inventories(): Promise<readonly Inventory[]>;
  /** The layer, with the record of what is in it. */
  finish(): Promise<{ readonly layer: OciLayer; readonly contents: ContentsSource }>;
}

/** What making the layers of an image gave. */
export interface ReadyLayers {
  /** As planned, lowest first. */
  readonly layers: readonly ReadyLayer[];
  /** Packages for which nothing had to be made. */
  readonly reused: number;
}

/**
 * Makes what is needed for the planned layers: those that are on this machine are taken as they are, those that the target
 * registry has stay there, and of the others the missing fragments are made.
 *
 * @param published layers of images in the registry that this one goes to; undefined: the image stays on this machine
 * @throws {SpacktainersError} of the caches and of installation
 */
export async function makeLayers(
  planned: readonly PackageLayer[],
  resources: FragmentResources,
  published: PublishedLayers | undefined,
): Promise<ReadyLayers> {
  const { store, emit } = resources;
  const found = await mapConcurrently(planned, recordsAtOnce, async (layer) => {
    if (published === undefined || (await isHere(layer, store))) return undefined;
    const keys = layer.members.map(({ key }) => key);
    const there = await published.findLayer(keys);
    if (there !== undefined)
      for (const { spec } of layer.members) await reportReused(emit, packageTask("install", spec));
    return there;
  });
  const toMake = planned.filter((_, index) => found[index] === undefined).flatMap(({ members }) => members);
  const made = await makeFragments(toMake, resources);
  const fragments = new Map(made.map(({ fragment }) => [fragment.key, fragment]));
  const remote = planned.reduce(
    (sum, { members }, index) => sum + (found[index] === undefined ? 0 : members.length),
    0,
  );
  return {
    layers: planned.map((layer, index) => {
      const there = found[index];
      return there === undefined ? localLayer(layer, fragments, store) : remoteLayer(layer, there);
    }),
    reused: remote + made.filter(({ reused }) => reused).length,
  };
}

/** True when the layer's bytes and all that is known of its members are on this machine. */
async function isHere({ key, members }: PackageLayer, store: FragmentStore): Promise<boolean> {
  const keys = [...new Set([key, ...members.map((member) => member.key)])];
  const there = await Promise.all(keys.map((one) => store.find(one)));
  return there.every((one) => one !== undefined);
}

function remoteLayer(planned: PackageLayer, there: PublishedLayer): ReadyLayer {
  const { layer, inventories, contents } = there;
  return {
    planned,
    inventories: () => Promise.resolve(inventories),
    finish: () => Promise.resolve({ layer: { ...layer, ...words(planned, contents) }, contents }),
  };
}

function localLayer(
  planned: PackageLayer,
  finished: ReadonlyMap<FragmentKey, StoredFragment>,
  store: FragmentStore,
): ReadyLayer {
  const members = planned.members.map((member) => {
    const fragment = finished.get(member.key);
    if (fragment === undefined) throw new Error("a package has no fragment");
    return fragment;
  });
  return {
    planned,
    inventories: () => Promise.all(members.map((member) => member.inventory())),
    async finish() {
      const { path, digest, size, diffId, compression } = await joined(planned.key, members, store);
      const record = contentsOf(await Promise.all(members.map((member) => member.inventoryBytes())));
      const contents: ContentsSource = {
        digest: record.digest,
        size: record.size,
        load: async () => contentsOf(await Promise.all(members.map((member) => member.inventoryBytes()))),
      };
      const mediaType = layerMediaType(compression);
      const facts = { digest, size, diffId, mediaType, ...words(planned, contents) };
      return { layer: fileLayer(facts, { path, offset: 0, size }, { isOurs: true }), contents };
    },
  };
}

/** The layer's bytes: those of its fragment, or of several joined. */
async function joined(
  key: FragmentKey,
  members: readonly StoredFragment[],
  store: FragmentStore,
): Promise<StoredFragment> {
  const [only] = members;
  if (only !== undefined && members.length === 1) return only;
  return store.make(key, async (path) => ({
    facts: await joinFragments(path, members),
    // What is in it is known from its members.
    inventory: { entries: [] },
  }));
}

/** What an image's documents say of a layer. */
function words(
  { members }: PackageLayer,
  contents: ContentsSource,
): Pick<LayerDescriptor, "createdBy" | "annotations"> {
  return {
    createdBy: `spacktainers: ${members.map(({ spec }) => briefSpec(spec)).join(" ")}`,
    annotations: {
      [layerKeysAnnotation]: members.map((member) => member.key).join(" "),
      [layerPackagesAnnotation]: members
        .map(({ spec }) => `${spec.name}@${spec.version}/${spec.hash}`)
        .join(" "),
      [layerContentsAnnotation]: formatContentsId(contents),
    },
  };
}
