/** An image of spacktainers taken apart again: what it was made from, according to the image alone. */
import { readContent } from "../../archive/content.ts";
import type { Inventory } from "../../archive/inventory.ts";
import type { Annotations } from "../../archive/oci/types.ts";
import type { BasePackage } from "../../base/types.ts";
import { yamlLimits } from "../../definitions/positionedYaml.ts";
import { lockLimit, readLock } from "../../environment/lock.ts";
import { readManifest } from "../../environment/manifest.ts";
import type { Environment } from "../../environment/types.ts";
import {
  assemblyAnnotation,
  baseKeyAnnotation,
  completionAnnotation,
  epilogueAnnotation,
  inputsAnnotation,
  layerContentsAnnotation,
  layerKeysAnnotation,
  layerPackagesAnnotation,
} from "../../image/annotations.ts";
import type { OciImage } from "../../image/image.ts";
import type { OciLayer } from "../../image/layer.ts";
import { layerEntries } from "../../image/layerEntries.ts";
import { type AssemblySettings, parseAssemblySettings } from "../../pipeline/assemble/assemblySettings.ts";
import { layerKey } from "../../pipeline/plan/packageLayers.ts";
import type { OutputNames } from "../../pipeline/workspace/outputs.ts";
import type { ContentsSource } from "../../publish/contentsArtifact.ts";
import { formatContentsId } from "../../publish/layerContents.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import { briefSpec, type ConcreteSpec, type DagHash, type SpecGraph } from "../../spec/concrete.ts";
import { parseDigest } from "../../util/digest.ts";
import { SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import type { ImageRecords, KnownContents } from "./imageRecords.ts";

/** Records of layers read at a time. */
const recordsAtOnce = 8;

const manifestPath = "opt/spack-environment/spack.yaml";
const lockPath = "opt/spack-environment/spack.lock";

/** A layer of packages. */
export interface PackageLayerParts {
  readonly key: string;
  readonly layer: OciLayer;
  readonly contents: ContentsSource;
}

/** What an image was put together from. */
export interface ImageParts {
  readonly names: OutputNames & { readonly arch: "amd64" | "arm64" };
  readonly facts: AssemblySettings;
  readonly environment: Environment;
  readonly manifestText: string;
  readonly lockText: string;
  readonly graph: SpecGraph;
  readonly roots: readonly DagHash[];
  /** The roots, as asked for. */
  readonly requests: readonly { readonly request: string; readonly hash: DagHash }[];
  /** Dependents before dependencies, with what is in each, where it is and the key of its fragment. */
  readonly packages: readonly PackageParts[];
  readonly externals: readonly ConcreteSpec[];
  /** Of packages, lowest first. */
  readonly layers: readonly PackageLayerParts[];
  /** Its own labels, and annotations of its manifest that are no labels. */
  readonly labels: Annotations;
  readonly annotations: Annotations;
  /** Digest of everything that decided it. */
  readonly inputs: string | undefined;
  /** What lies underneath now; `packages` undefined when they are not known any more. */
  readonly base: { readonly name: string; readonly packages: readonly BasePackage[] | undefined };
  readonly image: OciImage;
  readonly records: ImageRecords;
}

/** A package in an image. */
export interface PackageParts {
  readonly spec: ConcreteSpec;
  /** Absolute. */
  readonly prefix: string;
  readonly inventory: Inventory;
  readonly fragment: string;
}

/**
 * Takes an image apart. Of its layers only the top one is read; what is in the others is recorded.
 *
 * @throws {SpacktainersError} `NOT_SUPPORTED` for an image that we did not put together, or by an older version; `NOT_FOUND`
 *   when the records are gone; `ARCHIVE_INVALID`, `CHECKSUM_MISMATCH`; of the registry
 */
export async function readImageParts(image: OciImage, records: ImageRecords): Promise<ImageParts> {
  const { place } = image;
  const manifest = image.manifest.value;
  const config = (await image.config()).value;
  const all = await image.layers();
  const annotations = manifest.annotations ?? {};
  const assembly = annotations[assemblyAnnotation];
  const name = annotations["org.opencontainers.image.title"];
  const version = annotations["org.opencontainers.image.version"];
  const arch = config.architecture;
  const first = manifest.layers.findIndex((layer) => layer.annotations?.[layerKeysAnnotation] !== undefined);
  const below = first < 0 ? manifest.layers.length - 1 : first;
  const top = manifest.layers.length - 1;
  const packageLayers = manifest.layers.slice(below, top);
  if (annotations[epilogueAnnotation] !== undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "the image has an epilogue, which ran on the base that the image has",
      { place, hint: "`spacktainers push` runs it on the new base" },
    );
  if (
    assembly === undefined ||
    name === undefined ||
    version === undefined ||
    (arch !== "amd64" && arch !== "arm64") ||
    top < 0 ||
    packageLayers.some((layer) => layer.annotations?.[layerKeysAnnotation] === undefined)
  )
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "the image does not record what it was made from: spacktainers did not make it, or an older version did",
      { place, hint: "to make it from its definition: `spacktainers push`" },
    );
  const facts = parseAssemblySettings(assembly, place);
  const texts = await readTopLayer(image, all[top]);
  const { environment, includes, errors } = readManifest(texts.manifest, "spack.yaml", {
    dialect: facts.dialect,
  });
  if (includes)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "the manifest includes files, which the image does not have",
      {
        place,
        hint: "to make it from its definition: `spacktainers push`",
      },
    );
  if (environment === undefined) throw new SpacktainersErrors(errors);
  const lock = readLock(texts.lock, "spack.lock");
  const roots = [...lock.roots, ...lock.includedRoots].map(({ hash }) => hash);
  const { packages, externals } = runtimeClosure(lock.graph, roots);
  const known = new Map<string, Omit<PackageParts, "spec">>();
  const layers = await mapConcurrently(all.slice(below, top), recordsAtOnce, async (layer) => {
    const { inventories, contents, keys, hashes } = await contentsOfLayer(layer, image, records);
    for (const [position, key] of keys.entries()) {
      const inventory = inventories[position] ?? { entries: [] };
      known.set(hashes[position] ?? "", { fragment: key, inventory, prefix: prefixOf(inventory, image) });
    }
    return { key: layerKey(keys), layer, contents };
  });
  return {
    names: { name, version, arch },
    facts,
    environment,
    manifestText: texts.manifest,
    lockText: texts.lock,
    graph: lock.graph,
    roots,
    requests: lock.roots.map(({ request, hash }) => ({ request, hash })),
    packages: packages.map((spec) => {
      const one = known.get(spec.hash);
      if (one !== undefined) return { spec, ...one };
      throw new SpacktainersError("ARCHIVE_INVALID", `the image has no layer with ${briefSpec(spec)}`, {
        place,
      });
    }),
    externals,
    layers,
    ...wordsOf(annotations, config.config?.Labels ?? {}),
    inputs: annotations[inputsAnnotation],
    base: {
      name: annotations["org.opencontainers.image.base.name"] ?? "",
      packages: below === 0 ? [] : await basePackages(all[0], records),
    },
    image,
    records,
  };
}

async function basePackages(
  lowest: OciLayer | undefined,
  records: ImageRecords,
): Promise<readonly BasePackage[] | undefined> {
  const key = parseDigest(lowest?.annotations?.[baseKeyAnnotation] ?? "");
  return key === undefined ? undefined : records.basePackages(key);
}

/** What is in a layer of packages, by its annotations and its record. */
async function contentsOfLayer(
  { annotations = {} }: OciLayer,
  { place }: OciImage,
  records: ImageRecords,
): Promise<KnownContents & { readonly keys: readonly string[]; readonly hashes: readonly string[] }> {
  const keys = annotations[layerKeysAnnotation]?.split(" ") ?? [];
  const packages = annotations[layerPackagesAnnotation]?.split(" ") ?? [];
  const hashes = packages.map((text) => text.slice(text.lastIndexOf("/") + 1));
  if (keys.length !== hashes.length)
    throw new SpacktainersError("ARCHIVE_INVALID", "the annotations of a layer contradict one another", {
      place,
    });
  const found = await records.contents(keys);
  if (found === undefined || formatContentsId(found.contents) !== annotations[layerContentsAnnotation])
    throw new SpacktainersError("NOT_FOUND", "the contents of a layer of the image are no longer known", {
      place,
      hint: "make it from its definition, with `spacktainers push` or `spacktainers build`",
    });
  return { ...found, keys, hashes };
}

/** The prefix of a package: the folder that all of it lies in. */
function prefixOf({ entries }: Inventory, { place }: OciImage): string {
  const [prefix] = entries;
  if (
    prefix?.type === "directory" &&
    entries.every((entry) => entry === prefix || entry.path.startsWith(`${prefix.path}/`))
  )
    return `/${prefix.path}`;
  throw new SpacktainersError(
    "ARCHIVE_INVALID",
    "a package in the image shares its folder with other files",
    {
      place,
    },
  );
}

/** The image's own labels, which are annotations too, and what else its manifest says; without what is computed again. */
function wordsOf(annotations: Annotations, labels: Annotations): Pick<ImageParts, "labels" | "annotations"> {
  const derived = new Set<string>([inputsAnnotation, assemblyAnnotation, completionAnnotation]);
  const words = Object.entries(annotations).filter(([key]) => !derived.has(key));
  return {
    labels: Object.fromEntries(words.filter(([key, text]) => labels[key] === text)),
    annotations: Object.fromEntries(words.filter(([key, text]) => labels[key] !== text)),
  };
}

/**
 * The manifest and the lock, which the top layer has.
 *
 * @throws {SpacktainersError} `ARCHIVE_INVALID` without them; of reading the layer
 */
export async function readTopLayer(
  { place }: OciImage,
  top: OciLayer | undefined,
): Promise<{ readonly manifest: string; readonly lock: string }> {
  let manifest: string | undefined;
  let lock: string | undefined;
  for await (const entry of top === undefined ? [] : layerEntries(top)) {
    if (entry.type !== "file") continue;
    if (entry.path === manifestPath) manifest = (await readContent(entry, yamlLimits.bytes)).toString("utf8");
    else if (entry.path === lockPath) lock = (await readContent(entry, lockLimit)).toString("utf8");
  }
  if (manifest === undefined || lock === undefined)
    throw new SpacktainersError("ARCHIVE_INVALID", "the image's top layer has no environment", { place });
  return { manifest, lock };
}
