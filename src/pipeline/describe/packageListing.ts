/** The packages of a lock, of a built image, or of what the caches give now: what `explain` and `diff` work with. */
import { dirname, join } from "node:path";
import { readContent } from "../../archive/content.ts";
import type { BasePackage } from "../../base/types.ts";
import { loadLock } from "../../environment/load.ts";
import { lockLimit, readLock } from "../../environment/lock.ts";
import type { Lock } from "../../environment/types.ts";
import { layerPackagesAnnotation } from "../../image/annotations.ts";
import type { Image } from "../../image/image.ts";
import { layerEntries } from "../../image/layerEntries.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import { type ConcreteSpec, type DagHash, parseDagHash, type SpecGraph } from "../../spec/concrete.ts";
import type { LayerDescription } from "../../supply/imageDescription.ts";
import { formatPlace, SpacktainersError } from "../../util/errors.ts";
import type { ResolvedPackages } from "../choose/resolvePackages.ts";
import { loadSpacktainersLock, type SpacktainersLock } from "../choose/spacktainersLock.ts";
import { layerRoles } from "./layerRoles.ts";

/** Packages with what is known of them. */
export interface PackageListing {
  /** Where it comes from, for people. */
  readonly label: string;
  readonly origin: "lock" | "image" | "caches";
  readonly roots: readonly { readonly request: string; readonly hash: DagHash }[];
  readonly graph: SpecGraph;
  /** What goes into an image, dependents before dependencies. */
  readonly packages: readonly ConcreteSpec[];
  readonly externals: readonly ConcreteSpec[];
  /** Bytes by hash, as far as known: of archives in a cache, or of an image's layers that hold one package only. */
  readonly sizes: ReadonlyMap<DagHash, number>;
  readonly sizesOf: "archives" | "layers";
  /** OS packages underneath; undefined when it is not known. */
  readonly basePackages: readonly BasePackage[] | undefined;
  /** Images: compressed bytes of all layers. */
  readonly imageSize: number | undefined;
  /** Images: what each layer is for and its compressed bytes, the lowest first; empty where nothing says so. */
  readonly layers: readonly { readonly role: LayerDescription["role"]; readonly size: number }[];
}

type ListingDetails = Pick<
  PackageListing,
  "label" | "origin" | "sizes" | "sizesOf" | "basePackages" | "imageSize" | "layers"
>;

function listing(roots: PackageListing["roots"], graph: SpecGraph, facts: ListingDetails): PackageListing {
  const { packages, externals } = runtimeClosure(
    graph,
    roots.map(({ hash }) => hash),
  );
  return { ...facts, roots, graph, packages, externals };
}

/** The packages of a lock that was read. */
export function listLock(lock: Lock, own: SpacktainersLock | undefined, label: string): PackageListing {
  return listing([...lock.roots, ...lock.includedRoots], lock.graph, {
    label,
    origin: "lock",
    sizes: new Map(
      (own?.packages ?? []).flatMap(({ hash, size }) => (size === undefined ? [] : [[hash, size]])),
    ),
    sizesOf: "archives",
    basePackages: own?.base.kind === "scratch" ? [] : own?.base.packages,
    imageSize: undefined,
    layers: [],
  });
}

/**
 * Reads a `spack.lock`, and the `spacktainers.lock` that goes with it, if any.
 *
 * @param label for people
 * @throws {SpacktainersError} `LOCK_INVALID`, `NOT_SUPPORTED`, `NOT_FOUND`
 */
export async function readLockListing(file: string, label: string): Promise<PackageListing> {
  const lock = await loadLock(file);
  const own = await loadSpacktainersLock(
    file.endsWith("/spack.lock")
      ? join(dirname(file), "spacktainers.lock")
      : file.replace(/\.lock$/, ".spacktainers.lock"),
  );
  return listLock(lock, own, label);
}

/** The packages that were chosen from caches. */
export function listResolved(resolved: ResolvedPackages, label: string): PackageListing {
  return listing(resolved.resolution.roots, resolved.graph, {
    label,
    origin: "caches",
    sizes: new Map(
      resolved.packages.flatMap(({ spec, size }) => (size === undefined ? [] : [[spec.hash, size]])),
    ),
    sizesOf: "archives",
    basePackages: undefined,
    imageSize: undefined,
    layers: [],
  });
}

/** Where an environment's lock lies in an image. */
const lockInImage = "opt/spack-environment/spack.lock";

/**
 * The packages of an image: those of the lock inside it.
 *
 * @param label for people
 * @throws {SpacktainersError} `NOT_SUPPORTED` when there is no lock in the image; of reading the image
 */
export async function readImageListing(image: Image, label: string): Promise<PackageListing> {
  const lock = await lockOf(image);
  if (lock === undefined) throw noLockInside(image);
  return listImage(image, lock, label);
}

/** The packages of an image whose lock was read. */
export function listImage(image: Pick<Image, "manifest">, lock: Lock, label: string): PackageListing {
  const layers = image.manifest?.value.layers ?? [];
  const sizes = new Map<DagHash, number>();
  const packages = layers.map(({ annotations }) => annotations?.[layerPackagesAnnotation]?.split(" ") ?? []);
  for (const [at, { size }] of layers.entries()) {
    const names = packages[at] ?? [];
    const hash = parseDagHash(names[0]?.split("/")[1] ?? "");
    if (names.length === 1 && hash !== undefined) sizes.set(hash, size);
  }
  return listing([...lock.roots, ...lock.includedRoots], lock.graph, {
    label,
    origin: "image",
    sizes,
    sizesOf: "layers",
    basePackages: undefined,
    imageSize: layers.length === 0 ? undefined : layers.reduce((sum, { size }) => sum + size, 0),
    layers: layerRoles(packages.map((names) => names.length)).map((role, at) => ({
      role,
      size: layers[at]?.size ?? 0,
    })),
  });
}

/** The error for an image without a lock inside. */
export function noLockInside({ place }: Image): SpacktainersError {
  return new SpacktainersError("NOT_SUPPORTED", "nothing in the image says which packages are in it", {
    place,
    hint: `images with Spack packages have a /${lockInImage}`,
  });
}

/** The lock in an image, and its text: of the highest layer that has it, which is read whole and compared with its digests. */
export async function lockOf(image: Image): Promise<(Lock & { readonly text: string }) | undefined> {
  for (const layer of [...(await image.layers())].reverse()) {
    let text: string | undefined;
    for await (const entry of layerEntries(layer))
      if (entry.path === lockInImage && entry.type === "file")
        text = (await readContent(entry, lockLimit)).toString("utf8");
    if (text !== undefined) return { ...readLock(text, `${formatPlace(image.place)}:/${lockInImage}`), text };
  }
  return undefined;
}
