/** The description of an image: the one its build left beside it, else what the image itself tells. */
import { readContent } from "../../archive/content.ts";
import { mediaTypes } from "../../archive/oci/types.ts";
import { watchDpkgStatus } from "../../base/dpkgStatus.ts";
import { type OsRelease, osReleasePaths, parseOsRelease } from "../../base/osRelease.ts";
import type { BasePackage } from "../../base/types.ts";
import { inputsAnnotation, layerPackagesAnnotation } from "../../image/annotations.ts";
import { type Image, isOciImage, type OciImage, platformOfConfig } from "../../image/image.ts";
import type { Layer } from "../../image/layer.ts";
import { layerEntries } from "../../image/layerEntries.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import { largestDescription, readDescription } from "../../supply/descriptionDocument.ts";
import type {
  BuiltImageDescription,
  ImageDescription,
  LayerDescription,
} from "../../supply/imageDescription.ts";
import { runtimeGraph } from "../../supply/runtimeGraph.ts";
import { digestOf, parseDigest } from "../../util/digest.ts";
import { formatPlace } from "../../util/errors.ts";
import { packagesIn } from "../assemble/describeBuilt.ts";
import { layerRoles } from "./layerRoles.ts";
import { lockOf, noLockInside } from "./packageListing.ts";

/** Most bytes of a file that is read in a layer. */
const largestDocument = 8 << 20;

/**
 * The description of an image.
 *
 * Without the one that its build left, what the image says of itself has to do: packages and their dependencies, layers, OS
 * packages - but not where archives came from and who signed them, nor who built it.
 *
 * @throws {SpacktainersError} `CHECKSUM_MISMATCH` when the description was changed, `ARCHIVE_INVALID`; `NOT_SUPPORTED` when nothing
 *   says what is in the image; of reading it
 */
export async function describeImage(image: Image): Promise<ImageDescription> {
  return (isOciImage(image) ? await recordedDescription(image) : undefined) ?? derivedDescription(image);
}

/**
 * The description that the build left beside an image, if there is one of it.
 *
 * @throws {SpacktainersError} `CHECKSUM_MISMATCH` when it was changed; `ARCHIVE_INVALID`
 */
export async function recordedDescription(image: OciImage): Promise<BuiltImageDescription | undefined> {
  const { digest } = image.manifest.descriptor;
  for (const { bytes, place } of await image.attachedDocuments(largestDescription)) {
    const facts = readDescription(bytes, formatPlace(place));
    if (facts.manifest.digest === digest) return facts;
  }
  return undefined;
}

/** What an image tells of itself: its lock, its labels and annotations, its base's `os-release` and dpkg status. */
async function derivedDescription(image: Image): Promise<ImageDescription> {
  const lock = await lockOf(image);
  if (lock === undefined) throw noLockInside(image);
  const { roots, includedRoots, graph, text } = lock;
  const { manifest } = image;
  const config = (await image.config()).value;
  const all = [...roots, ...includedRoots];
  const closure = runtimeClosure(
    graph,
    all.map(({ hash }) => hash),
  );
  const layers = isOciImage(image) ? await describeLayers(image) : [];
  // Where no manifest says which layers are the base's, any of them may be.
  const isBase = (index: number): boolean => (layers[index]?.role ?? "base") === "base";
  const system = await systemIn((await image.layers()).filter((_, index) => isBase(index)));
  const labels = { ...config.config?.Labels, ...manifest?.value.annotations };
  const label = (key: string): string | undefined => labels[`org.opencontainers.image.${key}`];
  const [first] = all.flatMap(({ hash }) => graph.get(hash) ?? []);
  return {
    name: label("title") ?? first?.name ?? "image",
    version: label("version") ?? first?.version ?? "unknown",
    platform: platformOfConfig(config),
    manifest: manifest && {
      digest: manifest.descriptor.digest,
      size: manifest.descriptor.size,
      mediaType: manifest.value.mediaType === "" ? mediaTypes.manifest : manifest.value.mediaType,
      config: manifest.value.config.digest,
    },
    created: wholeSeconds(config.created),
    layers,
    roots: all.map(({ request, hash }) => ({ request, hash })),
    graph: runtimeGraph(graph, [...closure.packages, ...closure.externals]),
    packages: closure.packages.map((spec) => ({
      spec,
      prefix: undefined,
      archive: undefined,
      license: undefined,
    })),
    externals: closure.externals,
    base: {
      name: label("base.name") ?? "unknown",
      digest: parseDigest(label("base.digest") ?? ""),
      distribution: system.release,
      packages: system.packages,
    },
    inputs: {
      all: parseDigest(labels[inputsAnnotation] ?? ""),
      definition: undefined,
      spackLock: digestOf(text),
      ownLock: undefined,
      configuration: undefined,
    },
    source: {
      url: label("source"),
      revision: label("revision"),
      lastChange: label("revision"),
      ref: undefined,
      path: undefined,
    },
    builder: undefined,
    toolVersion: undefined,
  };
}

/** The layers of an image, with what each is for. */
export async function describeLayers(image: OciImage): Promise<readonly LayerDescription[]> {
  const layers = await image.layers();
  const packages = layers.map(({ annotations }) => packagesIn(annotations?.[layerPackagesAnnotation]));
  const roles = layerRoles(packages.map((list) => list.length));
  return layers.map(({ digest, diffId, size, mediaType }, index) => ({
    digest,
    diffId,
    size,
    mediaType,
    role: roles[index] ?? "top",
    packages: packages[index] ?? [],
  }));
}

/** What the base's layers say of the system: of several layers the highest that says something counts. */
async function systemIn(
  layers: readonly Layer[],
): Promise<{ readonly release: OsRelease | undefined; readonly packages: readonly BasePackage[] }> {
  let packages: readonly BasePackage[] = [];
  const releases = new Map<string, OsRelease>();
  for (const layer of layers) {
    const watch = watchDpkgStatus(layerEntries(layer));
    for await (const entry of watch.entries) {
      if (entry.type !== "file" || !osReleasePaths.some((known) => known === entry.path)) continue;
      const release = parseOsRelease((await readContent(entry, largestDocument)).toString("utf8"));
      if (release !== undefined) releases.set(entry.path, release);
    }
    packages = watch.packages() ?? packages;
  }
  const path = osReleasePaths.find((known) => releases.has(known));
  return { release: path === undefined ? undefined : releases.get(path), packages };
}

/** A time as SPDX wants it: UTC, no fractions; the beginning of 1970 for none. */
function wholeSeconds(created: string | undefined): string {
  const time = Date.parse(created ?? "");
  return new Date(Number.isFinite(time) ? time : 0).toISOString().replace(/\.\d{3}Z$/, "Z");
}
