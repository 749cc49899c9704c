/** The facts of an image in a layout: those its build left there, else what the image itself tells. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { readContent } from "../../archive/content.ts";
import { decompressStream } from "../../archive/decompress.ts";
import { parseIndex } from "../../archive/oci/parse.ts";
import { type LayoutImage, type LayoutLayer, layoutBlobPath } from "../../archive/oci/readOciLayout.ts";
import { mediaTypes } from "../../archive/oci/types.ts";
import { readTar } from "../../archive/readTar.ts";
import { watchDpkgStatus } from "../../base/dpkgStatus.ts";
import { type OsRelease, osReleasePaths, parseOsRelease } from "../../base/osRelease.ts";
import type { BasePackage } from "../../base/types.ts";
import { readLock } from "../../environment/lock.ts";
import { factsAnnotation, inputsAnnotation, layerPackagesAnnotation } from "../../image/annotations.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import { largestFacts, readFacts } from "../../supply/factsDocument.ts";
import type { BuiltImageFacts, LayerFacts } from "../../supply/imageFacts.ts";
import { runtimeGraph } from "../../supply/runtimeGraph.ts";
import { digestOf, parseDigest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { readBounded } from "../../util/readBounded.ts";
import { packagesIn } from "../assemble/imageFacts.ts";
import { lockOf, noLockInside } from "./packageListing.ts";

/** Most bytes of an `index.json`, and of a file that is looked at in a layer. */
const largestDocument = 8 << 20;

/**
 * The facts of an image in an OCI layout.
 *
 * Without those that its build left, what the image says of itself has to do: packages and their dependencies, layers, OS
 * packages - but not where archives came from and who signed them, nor who built it.
 *
 * @throws {SpacktainersError} `CHECKSUM_MISMATCH` when the facts were changed, `ARCHIVE_INVALID`; `NOT_SUPPORTED` when nothing
 *   says what is in the image
 */
export async function layoutFacts(directory: string, image: LayoutImage): Promise<BuiltImageFacts> {
  return (await factsLeft(directory, image)) ?? factsOfImage(directory, image);
}

/**
 * The facts that the build left, if there are any of this image.
 *
 * @throws {SpacktainersError} `CHECKSUM_MISMATCH` when they were changed; `ARCHIVE_INVALID`
 */
export async function factsLeft(
  directory: string,
  image: Pick<LayoutImage, "manifestDigest">,
): Promise<BuiltImageFacts | undefined> {
  const indexPath = join(directory, "index.json");
  const bytes = await readBounded(indexPath, largestDocument);
  const index = bytes === undefined ? undefined : parseIndex(bytes, { file: indexPath });
  for (const word of (index?.annotations?.[factsAnnotation] ?? "").split(" ").slice(0, 100)) {
    const digest = parseDigest(word);
    if (digest === undefined) continue;
    const path = layoutBlobPath(directory, digest);
    const document = await readBounded(path, largestFacts).catch(() => undefined);
    if (document === undefined) continue;
    if (digestOf(document) !== digest)
      throw new SpacktainersError(
        "CHECKSUM_MISMATCH",
        "the facts of the image are not those its build left",
        {
          place: { file: path },
          hint: "build the image again",
        },
      );
    const facts = readFacts(document, path);
    if (facts.manifest.digest === image.manifestDigest) return facts;
  }
  return undefined;
}

/** What an image tells of itself: its lock, its labels and annotations, its base's `os-release` and dpkg status. */
async function factsOfImage(directory: string, image: LayoutImage): Promise<BuiltImageFacts> {
  const text = await lockOf(image);
  if (text === undefined) throw noLockInside(directory);
  const { roots, includedRoots, graph } = readLock(text, `${directory}:/opt/spack-environment/spack.lock`);
  const all = [...roots, ...includedRoots];
  const closure = runtimeClosure(
    graph,
    all.map(({ hash }) => hash),
  );
  const layers = layersOf(image);
  const system = await systemIn(image.layers.filter((_, index) => layers[index]?.role === "base"));
  const labels = { ...image.config.config?.Labels, ...image.manifest.annotations };
  const label = (key: string): string | undefined => labels[`org.opencontainers.image.${key}`];
  const [first] = all.flatMap(({ hash }) => graph.get(hash) ?? []);
  const { architecture, os, variant } = image.config;
  return {
    name: label("title") ?? first?.name ?? "image",
    version: label("version") ?? first?.version ?? "unknown",
    platform: { architecture, os, ...(variant === undefined ? {} : { variant }) },
    manifest: {
      digest: image.manifestDigest,
      size: Buffer.byteLength(JSON.stringify(image.manifest)),
      mediaType: image.manifest.mediaType === "" ? mediaTypes.manifest : image.manifest.mediaType,
      config: image.manifest.config.digest,
    },
    created: wholeSeconds(image.config.created),
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

/** Layers below those with packages are the base's; those above are ours. */
function layersOf(image: LayoutImage): readonly LayerFacts[] {
  const packages = image.manifest.layers.map(({ annotations }) =>
    packagesIn(annotations?.[layerPackagesAnnotation]),
  );
  const firstWith = packages.findIndex((list) => list.length > 0);
  // Without any package, the top layer is ours all the same.
  const first = firstWith < 0 ? packages.length - 1 : firstWith;
  return image.layers.map(({ digest, diffId, size, mediaType }, index) => ({
    digest,
    diffId,
    size,
    mediaType,
    role: index < first ? "base" : (packages[index]?.length ?? 0) > 0 ? "packages" : "top",
    packages: packages[index] ?? [],
  }));
}

/** What the base's layers say of the system: of several layers the highest that says something counts. */
async function systemIn(
  layers: readonly LayoutLayer[],
): Promise<{ readonly release: OsRelease | undefined; readonly packages: readonly BasePackage[] }> {
  let packages: readonly BasePackage[] = [];
  const releases = new Map<string, OsRelease>();
  for (const { path } of layers) {
    const where = { file: path };
    const bytes = decompressStream(createReadStream(path, { highWaterMark: 2 ** 18 }), { where });
    const watch = watchDpkgStatus(readTar(bytes, { where, special: "skip", absolute: "relative" }));
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
