/**
 * Which packages share a layer. The algorithm, what it was measured against and what was rejected: `docs/layers.md`.
 */
import { createHash } from "node:crypto";
import { SpacktainersError } from "../util/errors.ts";
import { maxLayers } from "./assembleImage.ts";

/** One package for {@link planLayers}: what is known of it before anything of it is downloaded. */
export interface PlannedPackage {
  /** Its fragment's key, unique. */
  readonly key: string;
  readonly name: string;
  /** Bytes of its archive in the build cache; undefined where nobody says. */
  readonly size: number | undefined;
}

/** Layers for packages: see {@link planLayers}. */
export interface LayerBudget {
  /** For one package each. */
  readonly alone: number;
  /** For several packages each, when there are more packages than layers. */
  readonly shared: number;
}

/**
 * How many layers are left for packages. A third of the budget is meant to be shared, whatever the base takes: with another
 * base below it, an image's shared layers stay as they are.
 *
 * @param budget layers of the whole image; what runtimes can mount is the limit in any case
 * @param taken layers of the base and on top of the packages
 * @throws SpacktainersError BASE_INVALID when the base leaves no room
 */
export function packageLayerBudget(budget: number, taken: number): LayerBudget {
  if (taken >= maxLayers)
    throw new SpacktainersError(
      "BASE_INVALID",
      `the base leaves no room for packages: it has so many layers that ${taken} of ${maxLayers} are taken`,
    );
  const whole = Math.min(budget, maxLayers);
  const left = Math.max(1, whole - taken);
  const shared = Math.min(left, Math.ceil(whole / 3));
  return { alone: left - shared, shared };
}

/**
 * Decides which packages share a layer. Pure, and independent of the packages' order.
 *
 * While there are enough layers, every package has one of its own. Else the largest packages keep theirs, and the others are
 * dealt into the shared layers by a hash of their *name*: the many small ones into a quarter of these, so that they do not
 * drag larger ones along. What is largest is decided by powers of two of the archives' sizes, in the same power by another
 * hash of the name: so a new version of a package stays in its layer's place, unless it grows or shrinks past a power of two,
 * and then too at most three layers change. A package more or less changes one layer, or two when it takes another one's place
 * among the largest.
 *
 * @param packages in the order wanted in the image, bottom first (dependencies before dependents is best)
 * @returns groups of keys, none empty, bottom first: single packages in the order given, then the shared layers; in a group,
 *   packages are sorted by name, so that images with the same packages in a layer have the same layer
 */
export function planLayers(
  packages: readonly PlannedPackage[],
  { alone, shared }: LayerBudget,
): readonly (readonly string[])[] {
  if (packages.length <= alone + shared) return packages.map(({ key }) => [key]);
  const ranked = packages
    .map(({ key, name, size }) => ({ key, name, size: sizeClass(size), ...hashesOf(name) }))
    .sort((a, b) => b.size - a.size || a.order - b.order || compare(a.name, b.name) || compare(a.key, b.key));
  const largest = new Set(ranked.slice(0, alone).map(({ key }) => key));
  const buckets: { readonly key: string; readonly name: string }[][] = Array.from(
    { length: shared },
    () => [],
  );
  for (const one of ranked.slice(alone)) buckets[bucketOf(one, shared)]?.push(one);
  return [
    ...packages.filter(({ key }) => largest.has(key)).map(({ key }) => [key]),
    ...buckets
      .filter((bucket) => bucket.length > 0)
      .map((bucket) =>
        bucket.sort((a, b) => compare(a.name, b.name) || compare(a.key, b.key)).map(({ key }) => key),
      ),
  ];
}

/** Archives below this power of two, 256 KiB, are small. */
const smallBelow = 18;

/** Which of the shared layers a package goes into. */
function bucketOf(
  { size, place }: { readonly size: number; readonly place: number },
  shared: number,
): number {
  const forSmall = Math.floor(shared / 4);
  const isSmall = size !== unknownSize && size < smallBelow;
  if (forSmall === 0) return place % shared;
  return isSmall ? place % forSmall : forSmall + (place % (shared - forSmall));
}

/** In place of a power of two: less than all of them. */
const unknownSize = -1;

/** The power of two below a size. */
function sizeClass(size: number | undefined): number {
  return size === undefined ? unknownSize : Math.floor(Math.log2(Math.max(1, size)));
}

/** Two numbers that belong to a name: where it goes among the shared layers, and its order among equally large ones. */
function hashesOf(name: string): { readonly place: number; readonly order: number } {
  const hash = createHash("sha256").update(name).digest();
  return { place: hash.readUInt32BE(0), order: hash.readUInt32BE(4) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
