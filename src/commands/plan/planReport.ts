/** What a build would do, told before it does it: what is here already, what is to be moved and made, and why. */
import type { PlannedBase } from "../../base/types.ts";
import type { FragmentStore } from "../../image/fragmentStore.ts";
import { openCompletion } from "../../pipeline/assemble/openCompletion.ts";
import { nameOfBase } from "../../pipeline/base/baseSpec.ts";
import {
  builtImage,
  defaultOutput,
  layersOfPackages,
  type PackagesInLayer,
  summaryOf,
} from "../../pipeline/images/builtImages.ts";
import { archiveSizes } from "../../pipeline/plan/archiveSizes.ts";
import { imageInputs } from "../../pipeline/plan/imageInputs.ts";
import type { PlannedFragment } from "../../pipeline/plan/makeFragments.ts";
import type { PackageLayer } from "../../pipeline/plan/packageLayers.ts";
import type { ContainerPlan, PlanningTools } from "../../pipeline/plan/planContainer.ts";
import type { Digest } from "../../util/digest.ts";
import type { PublishedState, PushReport, WantedLayer } from "./planPush.ts";

/**
 * Where a part of an image is: finished on this machine; in a registry that it goes to, where `push` refers to it and `build`
 * makes it; or nowhere yet.
 */
export type Whereabouts = "local" | "registry" | "to make";

/** What became of a package since the image in the output folder. */
export interface PackageChange {
  /**
   * `added`: the image does not have it; `version`, `rebuilt`: it has another version, or another configuration or build of
   * the same one; `reinstalled`: the same build, with other options, prefixes or from another archive; `same`: no change.
   */
  readonly kind: "added" | "version" | "rebuilt" | "reinstalled" | "same";
  /** The version or the hash that the image has. */
  readonly was?: string;
}

/** A package of a plan. */
export interface PackageReport {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  /** Of its fragment. */
  readonly whereabouts: Whereabouts;
  /** Compressed bytes of it alone; undefined as long as it is not made here. */
  readonly size: number | undefined;
  readonly archive: {
    readonly digest: Digest;
    /** Bytes; undefined if the cache does not report them. */
    readonly size: number | undefined;
    /** It need not be downloaded. */
    readonly local: boolean;
  };
  /** Undefined if there is no image to compare with. */
  readonly change: PackageChange | undefined;
}

/** A layer of packages of a plan. */
export interface LayerReport {
  readonly key: string;
  readonly whereabouts: Whereabouts;
  /** Compressed bytes; undefined until it is made. */
  readonly size: number | undefined;
  /** The image in the output folder has this layer. */
  readonly inImage: boolean;
  /** Lowest first. */
  readonly packages: readonly PackageReport[];
}

/** An epilogue of a plan. */
export interface EpilogueReport {
  /** Absolute. */
  readonly file: string;
  /** How many layers it makes at most. */
  readonly layers: number;
  /** How many commands it runs, and whether they may use the network. */
  readonly commands: number;
  readonly network: boolean;
}

/** A plan, for people and programs. */
export interface PlanReport {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  /** The image in the output folder is what a build would make. */
  readonly upToDate: boolean;
  readonly base: {
    readonly name: string;
    readonly whereabouts: Whereabouts;
    readonly layers: number;
    /** Compressed bytes; undefined until it is made. */
    readonly size: number | undefined;
    /** Bytes of OS packages to download, at most; undefined where they are not known. */
    readonly download: number | undefined;
  };
  /** Of packages, lowest first; above them comes one more with the view and the environment. */
  readonly layers: readonly LayerReport[];
  /** Epilogue of the image; undefined if there is none. */
  readonly epilogue: EpilogueReport | undefined;
  /** Packages of the image in the output folder that are no longer needed. */
  readonly removed: readonly { readonly name: string; readonly version: string; readonly hash: string }[];
  /** Archives to download: how many, their bytes, and how many are of unknown size. */
  readonly download: { readonly archives: number; readonly bytes: number; readonly unknown: number };
  /** Packages to relocate, strip and compress, and bytes of their archives. */
  readonly install: { readonly packages: number; readonly bytes: number };
  /** What `push` would do, one entry per registry; undefined if the registries were not asked. */
  readonly push: readonly PushReport[] | undefined;
}

/**
 * Tells what carrying out a plan would do. Nothing is downloaded but metadata.
 *
 * @param there what the registries have; undefined: they were not asked
 * @throws {SpacktainersError} of caches and of the base; `LOCK_STALE` when the base is not the one locked
 */
export async function reportPlan(
  plan: ContainerPlan,
  store: FragmentStore,
  tools: Pick<PlanningTools, "caches">,
  there: PublishedState | undefined,
): Promise<PlanReport> {
  const { container, configuration, resolved } = plan;
  const output = defaultOutput(configuration.output, container);
  const image = await builtImage(output);
  const before = image && layersOfPackages(image.manifest.value);
  const { base, planned } = await reportBase(plan, there);
  const report = await packageReporter(plan, before, store, tools);
  const layers: LayerReport[] = [];
  for (const layer of plan.layers) layers.push(await reportLayer(layer, { before, report, store, there }));
  const packages = layers.flatMap((layer) => layer.packages);
  const missing = packages.filter(({ whereabouts }) => whereabouts === "to make");
  const inputs = imageInputs(plan, planned);
  const wanted = missing.filter(({ archive }) => !archive.local);
  const names = new Set(packages.map(({ name }) => name));
  return {
    name: container.name,
    arch: container.arch,
    version: resolved.version,
    upToDate: image !== undefined && summaryOf(image).inputs === inputs,
    base,
    layers,
    epilogue: reportEpilogue(plan),
    removed: (before ?? []).flatMap((layer) => layer.packages).filter(({ name }) => !names.has(name)),
    download: {
      archives: wanted.length,
      bytes: bytesOf(wanted),
      unknown: wanted.filter(({ archive }) => archive.size === undefined).length,
    },
    install: { packages: missing.length, bytes: bytesOf(missing) },
    push: there?.report(inputs, planned.key, wantedBase(base), [
      ...plan.layers.map(
        ({ members }, index): WantedLayer => ({
          keys: members.map((member) => member.key),
          size: layers[index]?.size,
        }),
      ),
      // The top layer, and those of the epilogue: their contents are known once everything else is.
      ...Array.from({ length: 1 + (plan.epilogue?.layerCount ?? 0) }, () => ({
        keys: undefined,
        size: undefined,
      })),
    ]),
  };
}

function reportEpilogue({ epilogue }: ContainerPlan): EpilogueReport | undefined {
  if (epilogue === undefined) return undefined;
  const { file, layerCount, commands, network } = epilogue;
  return { file, layers: layerCount, commands, network };
}

/** The layers of a base; of one layer the size is that of the base. */
function wantedBase({ layers, size }: PlanReport["base"]): readonly WantedLayer[] {
  return Array.from({ length: layers }, () => ({
    keys: undefined,
    size: layers === 1 ? size : undefined,
  }));
}

async function reportBase(
  plan: ContainerPlan,
  there: PublishedState | undefined,
): Promise<{ readonly base: PlanReport["base"]; readonly planned: PlannedBase }> {
  const { configuration, locks, fragments } = plan;
  const { base: planned } = await openCompletion({
    configured: configuration.base,
    base: plan.base,
    fragments: fragments.map(({ key }) => key),
    options: plan.baseOptions,
    locked: locks.inUse,
    published: there?.published,
  });
  const built = await planned.find();
  if (built !== undefined) locks.checkBase(built);
  const packages = built?.packages ?? planned.packages ?? [];
  const published = built === undefined ? there?.base(planned.key) : undefined;
  return {
    planned,
    base: {
      name: nameOfBase(configuration.base, { packages }),
      whereabouts: built !== undefined ? "local" : published !== undefined ? "registry" : "to make",
      layers: planned.layerCount,
      size: (built?.layers ?? published)?.reduce((sum, layer) => sum + layer.size, 0),
      download:
        built !== undefined
          ? 0
          : planned.packages?.reduce<number | undefined>(
              (sum, { size }) => (sum === undefined || size === undefined ? undefined : sum + size),
              0,
            ),
    },
  };
}

/** Looks all packages up; gives what is known of each. */
async function packageReporter(
  plan: ContainerPlan,
  before: readonly PackagesInLayer[] | undefined,
  store: FragmentStore,
  { caches }: Pick<PlanningTools, "caches">,
): Promise<(fragment: PlannedFragment) => PackageReport> {
  const reports = new Map<string, PackageReport>();
  const missing: PlannedFragment[] = [];
  const here = new Map<string, number>();
  for (const fragment of plan.fragments) {
    const stored = await store.find(fragment.key);
    if (stored === undefined) missing.push(fragment);
    else here.set(fragment.key, stored.size);
  }
  const sizes = await archiveSizes(
    missing.map(({ cached }) => cached),
    caches,
  );
  for (const fragment of plan.fragments) {
    const { spec, cached, key } = fragment;
    const { name, version, hash } = spec;
    reports.set(key, {
      name,
      version,
      hash,
      whereabouts: here.has(key) ? "local" : "to make",
      size: here.get(key),
      archive: {
        digest: cached.digest,
        size: cached.size ?? sizes.get(hash),
        local: await caches.hasLocalArchive(cached),
      },
      change: before === undefined ? undefined : changeOf(fragment, before),
    });
  }
  return ({ key }) => {
    const report = reports.get(key);
    if (report === undefined) throw new Error("a layer has a package that is not in the plan");
    return report;
  };
}

/** What became of a package; of several of one name, the most alike is compared with. */
function changeOf({ spec, key }: PlannedFragment, before: readonly PackagesInLayer[]): PackageChange {
  const all = before.flatMap(({ keys, packages }) =>
    packages.map((one, index) => ({ ...one, key: keys[index] })),
  );
  if (all.some((one) => one.key === key)) return { kind: "same" };
  const known = all.filter(({ name }) => name === spec.name);
  if (known.some(({ hash }) => hash === spec.hash)) return { kind: "reinstalled" };
  const alike = known.find(({ version }) => version === spec.version);
  if (alike !== undefined) return { kind: "rebuilt", was: alike.hash };
  const [other] = known;
  return other === undefined ? { kind: "added" } : { kind: "version", was: other.version };
}

/** What a layer is compared with. */
interface LayerComparison {
  readonly before: readonly PackagesInLayer[] | undefined;
  readonly report: (fragment: PlannedFragment) => PackageReport;
  readonly store: FragmentStore;
  readonly there: PublishedState | undefined;
}

async function reportLayer(
  { key, members }: PackageLayer,
  { before, report, store, there }: LayerComparison,
): Promise<LayerReport> {
  const packages = members.map(report);
  const complete = packages.every(({ whereabouts }) => whereabouts === "local");
  const stored = complete ? await store.find(key) : undefined;
  const published = stored === undefined ? there?.layer(members.map((member) => member.key)) : undefined;
  const keys = members.map((member) => member.key).join(" ");
  return {
    key,
    whereabouts: stored !== undefined ? "local" : published !== undefined ? "registry" : "to make",
    size: stored?.size ?? published?.size,
    inImage: before?.some((layer) => layer.keys.join(" ") === keys) === true,
    packages,
  };
}

function bytesOf(packages: readonly PackageReport[]): number {
  return packages.reduce((sum, { archive }) => sum + (archive.size ?? 0), 0);
}
