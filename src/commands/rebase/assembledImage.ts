/** An image of ours taken apart again: what it was put together from, told by the image alone. */
import { createHash } from "node:crypto";
import { readContent } from "../../archive/content.ts";
import { decompressStream } from "../../archive/decompress.ts";
import { hashing } from "../../archive/gzip.ts";
import type { Inventory } from "../../archive/inventory.ts";
import type { Annotations } from "../../archive/oci/types.ts";
import { readTar } from "../../archive/readTar.ts";
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
import type { AnyLayer } from "../../image/image.ts";
import { type AssemblyFacts, parseAssemblyFacts } from "../../pipeline/assemble/assemblyFacts.ts";
import { layerKey } from "../../pipeline/plan/packageLayers.ts";
import type { OutputNames } from "../../pipeline/workspace/outputs.ts";
import type { ContentsSource } from "../../publish/contentsArtifact.ts";
import { formatContentsId } from "../../publish/layerContents.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import { briefSpec, type ConcreteSpec, type DagHash, type SpecGraph } from "../../spec/concrete.ts";
import { digestOfHex, parseDigest } from "../../util/digest.ts";
import { SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import type { KnownContents, RebaseSource } from "./rebaseSource.ts";

/** Records of layers read at a time. */
const recordsAtOnce = 8;

const manifestPath = "opt/spack-environment/spack.yaml";
const lockPath = "opt/spack-environment/spack.lock";

/** A layer of packages. */
export interface AssembledLayer {
  readonly key: string;
  readonly layer: AnyLayer;
  readonly contents: ContentsSource;
}

/** What an image was put together from. */
export interface AssembledImage {
  readonly names: OutputNames & { readonly arch: "amd64" | "arm64" };
  readonly facts: AssemblyFacts;
  readonly environment: Environment;
  readonly manifestText: string;
  readonly lockText: string;
  readonly graph: SpecGraph;
  readonly roots: readonly DagHash[];
  /** The roots, as asked for. */
  readonly requests: readonly { readonly request: string; readonly hash: DagHash }[];
  /** Dependents before dependencies, with what is in each, where it is and the key of its fragment. */
  readonly packages: readonly AssembledPackage[];
  readonly externals: readonly ConcreteSpec[];
  /** Of packages, lowest first. */
  readonly layers: readonly AssembledLayer[];
  /** Its own labels, and annotations of its manifest that are no labels. */
  readonly labels: Annotations;
  readonly annotations: Annotations;
  /** Digest of everything that decided it. */
  readonly inputs: string | undefined;
  /** What lies underneath now; `packages` undefined when they are not known any more. */
  readonly base: { readonly name: string; readonly packages: readonly BasePackage[] | undefined };
  /** The image itself. */
  readonly source: Pick<RebaseSource, "digest" | "repository" | "recorded">;
}

/** A package in an image. */
export interface AssembledPackage {
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
export async function readAssembledImage(source: RebaseSource): Promise<AssembledImage> {
  const { place, manifest, config } = source;
  const annotations = manifest.annotations ?? {};
  const assembly = annotations[assemblyAnnotation];
  const name = annotations["org.opencontainers.image.title"];
  const version = annotations["org.opencontainers.image.version"];
  const arch = config.architecture;
  const diffIds = config.rootfs.diff_ids;
  const first = manifest.layers.findIndex((layer) => layer.annotations?.[layerKeysAnnotation] !== undefined);
  const below = first < 0 ? manifest.layers.length - 1 : first;
  const top = manifest.layers.length - 1;
  const packageLayers = manifest.layers.slice(below, top);
  if (
    assembly === undefined ||
    name === undefined ||
    version === undefined ||
    (arch !== "amd64" && arch !== "arm64") ||
    top < 0 ||
    diffIds.length !== manifest.layers.length ||
    packageLayers.some((layer) => layer.annotations?.[layerKeysAnnotation] === undefined)
  )
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "the image does not tell what it was put together from: it is not one of `spacktainers`, or one of an older version",
      { place, hint: "`spacktainers push` makes it from its definition" },
    );
  if (annotations[epilogueAnnotation] !== undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "the image has an epilogue, which was carried out on the base that it stands on",
      { place, hint: "`spacktainers push` carries it out on the new one" },
    );
  const facts = parseAssemblyFacts(assembly, place);
  const texts = await readTopLayer(source, top);
  const { environment, errors } = readManifest(texts.manifest, "spack.yaml", { dialect: facts.dialect });
  if (environment === undefined) throw new SpacktainersErrors(errors);
  if (environment.includes.length > 0)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "the manifest includes files, which the image does not have",
      {
        place,
        hint: "`spacktainers push` makes it from its definition",
      },
    );
  const lock = readLock(texts.lock, "spack.lock");
  const roots = lock.roots.map(({ hash }) => hash);
  const { packages, externals } = runtimeClosure(lock.graph, roots);
  const known = new Map<string, Omit<AssembledPackage, "spec">>();
  const layers = await mapConcurrently(packageLayers, recordsAtOnce, async (descriptor, at) => {
    const index = below + at;
    const diffId = diffIds[index];
    const { inventories, contents, keys, hashes } = await contentsOfLayer(source, index);
    if (diffId === undefined) throw new Error("a layer has no diffId");
    for (const [position, key] of keys.entries()) {
      const inventory = inventories[position] ?? { entries: [] };
      known.set(hashes[position] ?? "", { fragment: key, inventory, prefix: prefixOf(inventory, source) });
    }
    const layer: AnyLayer = {
      digest: descriptor.digest,
      size: descriptor.size,
      mediaType: descriptor.mediaType,
      diffId,
      createdBy: config.history?.[index]?.created_by ?? "",
      ...(descriptor.annotations === undefined ? {} : { annotations: descriptor.annotations }),
      ...source.layerPlace(index),
    };
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
      packages: below === 0 ? [] : await basePackages(source),
    },
    source,
  };
}

async function basePackages(source: RebaseSource): Promise<readonly BasePackage[] | undefined> {
  const key = parseDigest(source.manifest.layers[0]?.annotations?.[baseKeyAnnotation] ?? "");
  return key === undefined ? undefined : source.basePackages(key);
}

/** What is in a layer of packages, by its annotations and its record. */
async function contentsOfLayer(
  source: RebaseSource,
  index: number,
): Promise<KnownContents & { readonly keys: readonly string[]; readonly hashes: readonly string[] }> {
  const annotations = source.manifest.layers[index]?.annotations ?? {};
  const keys = annotations[layerKeysAnnotation]?.split(" ") ?? [];
  const packages = annotations[layerPackagesAnnotation]?.split(" ") ?? [];
  const hashes = packages.map((text) => text.slice(text.lastIndexOf("/") + 1));
  if (keys.length !== hashes.length)
    throw new SpacktainersError("ARCHIVE_INVALID", "the annotations of a layer contradict one another", {
      place: source.place,
    });
  const found = await source.contents(keys);
  if (found === undefined || formatContentsId(found.contents) !== annotations[layerContentsAnnotation])
    throw new SpacktainersError("NOT_FOUND", "it is not known any more what is in a layer of the image", {
      place: source.place,
      hint: "make it from its definition, with `spacktainers push` or `spacktainers build`",
    });
  return { ...found, keys, hashes };
}

/** The prefix of a package: the folder that all of it lies in. */
function prefixOf({ entries }: Inventory, { place }: RebaseSource): string {
  const [prefix] = entries;
  if (
    prefix?.type === "directory" &&
    entries.every((entry) => entry === prefix || entry.path.startsWith(`${prefix.path}/`))
  )
    return `/${prefix.path}`;
  throw new SpacktainersError("ARCHIVE_INVALID", "a package in the image is not in a folder of its own", {
    place,
  });
}

/** The image's own labels, which are annotations too, and what else its manifest says; what is worked out anew left out. */
function wordsOf(
  annotations: Annotations,
  labels: Annotations,
): Pick<AssembledImage, "labels" | "annotations"> {
  const derived = new Set<string>([inputsAnnotation, assemblyAnnotation, completionAnnotation]);
  const words = Object.entries(annotations).filter(([key]) => !derived.has(key));
  return {
    labels: Object.fromEntries(words.filter(([key, text]) => labels[key] === text)),
    annotations: Object.fromEntries(words.filter(([key, text]) => labels[key] !== text)),
  };
}

/** The manifest and the lock, which the top layer has. */
async function readTopLayer(
  source: RebaseSource,
  index: number,
): Promise<{ readonly manifest: string; readonly lock: string }> {
  const { place } = source;
  const hash = createHash("sha256");
  const bytes = hashing(decompressStream(source.openLayer(index), { where: place }), hash);
  let manifest: string | undefined;
  let lock: string | undefined;
  for await (const entry of readTar(bytes, { where: place })) {
    if (entry.type !== "file") continue;
    if (entry.path === manifestPath) manifest = (await readContent(entry, yamlLimits.bytes)).toString("utf8");
    else if (entry.path === lockPath) lock = (await readContent(entry, lockLimit)).toString("utf8");
  }
  if (digestOfHex(hash.digest("hex")) !== source.config.rootfs.diff_ids[index])
    throw new SpacktainersError("CHECKSUM_MISMATCH", "a layer is not what the image's configuration says", {
      place,
    });
  if (manifest === undefined || lock === undefined)
    throw new SpacktainersError("ARCHIVE_INVALID", "the image's top layer has no environment", { place });
  return { manifest, lock };
}
