/** In what two sets of packages differ. Pure. */
import type { BasePackage } from "../../base/types.ts";
import type { PackageListing } from "../../pipeline/describe/packageListing.ts";
import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";
import {
  differenceText,
  firstDifference,
  type RootCause,
  type SpecDifference,
  specDifferences,
} from "./specDifferences.ts";

/** A package on one side. */
export interface DiffedPackage {
  readonly name: string;
  readonly version: string;
  readonly hash: DagHash;
  readonly size: number | undefined;
}

/** A package that is on both sides in other configurations. */
export interface ChangedPackage {
  readonly before: DiffedPackage;
  readonly after: DiffedPackage;
  /** All that is different in the package itself; dependencies by hash. */
  readonly differences: readonly SpecDifference[];
  /** What really changed: the first difference, followed down through the dependencies. */
  readonly cause: RootCause | undefined;
}

/** An OS package that is not the same on both sides. */
export interface BaseChange {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** The difference of two listings. Everything is in order of names. */
export interface PackageDifferences {
  readonly before: string;
  readonly after: string;
  readonly added: readonly DiffedPackage[];
  readonly removed: readonly DiffedPackage[];
  readonly changed: readonly ChangedPackage[];
  readonly unchanged: number;
  /** Undefined if one side does not record its base. */
  readonly base: readonly BaseChange[] | undefined;
  /** What the sizes of packages measure; undefined if the two sides measure different things. */
  readonly sizesOf: PackageListing["sizesOf"] | undefined;
  /** Compressed bytes of images, where both are. */
  readonly imageSizes: { readonly before: number; readonly after: number } | undefined;
  /** Compressed bytes of their layers, by what these are for; undefined unless both are images. */
  readonly layerSizes: readonly LayerSizes[] | undefined;
}

/** Compressed bytes of all layers of one kind, on both sides. */
export interface LayerSizes {
  readonly role: PackageListing["layers"][number]["role"];
  readonly before: number;
  readonly after: number;
}

/**
 * Compares the packages that go into images. Packages of one name are paired: those of one hash are unchanged; others are
 * paired in order of their versions as listed, and what is left over is added or removed.
 */
export function packageDifferences(before: PackageListing, after: PackageListing): PackageDifferences {
  const sizesOf = before.sizesOf === after.sizesOf ? before.sizesOf : undefined;
  const described = (spec: ConcreteSpec, { sizes }: PackageListing): DiffedPackage => ({
    name: spec.name,
    version: spec.version,
    hash: spec.hash,
    size: sizesOf === undefined ? undefined : sizes.get(spec.hash),
  });
  const theirs = new Set(after.packages.map(({ hash }) => hash));
  const ours = new Set(before.packages.map(({ hash }) => hash));
  const gone = byName(before.packages.filter(({ hash }) => !theirs.has(hash)));
  const come = byName(after.packages.filter(({ hash }) => !ours.has(hash)));
  const added: DiffedPackage[] = [];
  const removed: DiffedPackage[] = [];
  const changed: ChangedPackage[] = [];
  for (const name of [...new Set([...gone.keys(), ...come.keys()])].sort()) {
    const olds = gone.get(name) ?? [];
    const news = come.get(name) ?? [];
    for (let index = 0; index < Math.max(olds.length, news.length); index++) {
      const [old, fresh] = [olds[index], news[index]];
      if (old !== undefined && fresh !== undefined) {
        const pair = [
          { spec: old, graph: before.graph },
          { spec: fresh, graph: after.graph },
        ] as const;
        changed.push({
          before: described(old, before),
          after: described(fresh, after),
          differences: specDifferences(...pair),
          cause: firstDifference(...pair),
        });
      } else if (old !== undefined) removed.push(described(old, before));
      else if (fresh !== undefined) added.push(described(fresh, after));
    }
  }
  return {
    before: before.label,
    after: after.label,
    added,
    removed,
    changed,
    unchanged: before.packages.filter(({ hash }) => theirs.has(hash)).length,
    base: baseChanges(before.basePackages, after.basePackages),
    sizesOf,
    imageSizes:
      before.imageSize === undefined || after.imageSize === undefined
        ? undefined
        : { before: before.imageSize, after: after.imageSize },
    layerSizes:
      before.layers.length === 0 || after.layers.length === 0 ? undefined : layerSizes(before, after),
  };
}

function layerSizes(before: PackageListing, after: PackageListing): readonly LayerSizes[] {
  const sum = ({ layers }: PackageListing, wanted: LayerSizes["role"]): number =>
    layers.reduce((bytes, { role, size }) => bytes + (role === wanted ? size : 0), 0);
  return (["base", "packages", "top"] as const).map((role) => ({
    role,
    before: sum(before, role),
    after: sum(after, role),
  }));
}

/** True if there is no difference. */
export function isSame({ added, removed, changed, base }: PackageDifferences): boolean {
  return added.length + removed.length + changed.length + (base?.length ?? 0) === 0;
}

function byName(specs: readonly ConcreteSpec[]): ReadonlyMap<string, readonly ConcreteSpec[]> {
  const names = new Map<string, ConcreteSpec[]>();
  for (const spec of specs) names.set(spec.name, [...(names.get(spec.name) ?? []), spec]);
  return names;
}

function baseChanges(
  before: readonly BasePackage[] | undefined,
  after: readonly BasePackage[] | undefined,
): readonly BaseChange[] | undefined {
  if (before === undefined || after === undefined) return undefined;
  const versions = (packages: readonly BasePackage[]): ReadonlyMap<string, string> =>
    new Map(packages.map(({ name, version }) => [name, version]));
  const [old, fresh] = [versions(before), versions(after)];
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .sort()
    .map((name) => ({ name, before: old.get(name), after: fresh.get(name) }))
    .filter((change) => change.before !== change.after);
}

/** What really changed, in words: `version 1.2 → 1.3`, `because of zlib: version 1.2 → 1.3`. */
export function causeText({ path, difference }: RootCause): string {
  const text = differenceText(difference);
  return path.length === 0 ? text : `because of ${path.join(" → ")}: ${text}`;
}
