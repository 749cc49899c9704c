/** The order of a container's images, and what changed from one to the next. */
import type { ImageChanges } from "../../catalogue/facts.ts";
import { compareVersions, parseVersion } from "../../spec/versions.ts";
import { causeText, packageDifferences } from "../explain/packageDifferences.ts";
import type { GatheredImage } from "./imageFacts.ts";

/** Images with the newest first: by version, then by the time of the last change, then by tag and digest. */
export function newestImageFirst<Item extends { readonly gathered: GatheredImage }>(
  items: readonly Item[],
): readonly Item[] {
  return [...items].sort((a, b) => {
    const [first, second] = [a.gathered.image, b.gathered.image];
    const key = ({ updated, tags, digest }: typeof first): string =>
      // Of two images of one version, the one that the version's tag stands for is the newer one.
      `${tags.includes("latest") ? 1 : 0} ${updated ?? ""} ${tags.length} ${digest}`;
    const [own, other] = [key(first), key(second)];
    return byVersion(second.version, first.version) || (own < other ? 1 : own > other ? -1 : 0);
  });
}

/** Spack's order of versions; what is none comes last, as text. */
function byVersion(a: string, b: string): number {
  const [first, second] = [versionOf(a), versionOf(b)];
  if (first !== undefined && second !== undefined) return compareVersions(first, second);
  if (first === undefined && second === undefined) return a < b ? -1 : a > b ? 1 : 0;
  return first === undefined ? -1 : 1;
}

function versionOf(text: string): ReturnType<typeof parseVersion> | undefined {
  try {
    return parseVersion(text, "1.x");
  } catch {
    return undefined;
  }
}

/** Each image with what changed since the next older one. */
export function chainVersions(images: readonly GatheredImage[]): readonly GatheredImage[] {
  return images.map((one, at) => {
    const older = images[at + 1];
    if (older?.listing === undefined || one.listing === undefined) return one;
    return { ...one, image: { ...one.image, changes: changesBetween(older, one) } };
  });
}

function changesBetween(older: GatheredImage, newer: GatheredImage): ImageChanges | undefined {
  if (older.listing === undefined || newer.listing === undefined) return undefined;
  const { added, removed, changed, base, unchanged } = packageDifferences(older.listing, newer.listing);
  const packages = [
    ...added.map(({ name, version }) => ({ name, before: undefined, after: version, why: undefined })),
    ...removed.map(({ name, version }) => ({ name, before: version, after: undefined, why: undefined })),
    ...changed.map(({ before, after, cause }) => ({
      name: after.name,
      before: before.version,
      after: after.version,
      why: before.version !== after.version || cause === undefined ? undefined : causeText(cause),
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return {
    since: older.image.version,
    packages,
    base: base?.map((one) => ({ ...one, why: undefined })),
    unchanged,
  };
}
