/** A finished image of ours as something that can be put on another base: in a registry, or in a layout on this machine. */
import type { Inventory } from "../../archive/inventory.ts";
import { readBlobFile, readOciLayout } from "../../archive/oci/readOciLayout.ts";
import type { ImageConfig, ImageManifest, Platform } from "../../archive/oci/types.ts";
import type { BaseRecord } from "../../base/baseRecord.ts";
import { openBaseStore } from "../../base/baseStore.ts";
import type { BasePackage } from "../../base/types.ts";
import type { FragmentKey, FragmentStore } from "../../image/fragmentStore.ts";
import type { AnyLayer } from "../../image/image.ts";
import { publicUrl } from "../../pipeline/assemble/imageFacts.ts";
import { isLicenseExpression } from "../../pipeline/assemble/licenseFacts.ts";
import { factsLeft } from "../../pipeline/describe/layoutFacts.ts";
import { artifactRepository } from "../../publish/artifactRepository.ts";
import type { ContentsSource } from "../../publish/contentsArtifact.ts";
import { contentsOf } from "../../publish/layerContents.ts";
import type { PublishedImage } from "../../publish/publishedImage.ts";
import { openPublishedLayers } from "../../publish/publishedLayers.ts";
import { readBlob } from "../../registry/blobs.ts";
import { formatRepository } from "../../registry/reference.ts";
import type { ArtifactSource } from "../../supply/artifactStore.ts";
import { attestedDocument } from "../../supply/attestedDocument.ts";
import { cycloneDxMediaType } from "../../supply/cycloneDx.ts";
import { attachedDocument } from "../../supply/foundDocuments.ts";
import { type RecordedPackages, recordedPackages } from "../../supply/recordedPackages.ts";
import type { VerificationKey } from "../../supply/signingKey.ts";
import { predicateTypes } from "../../supply/statement.ts";
import type { Digest } from "../../util/digest.ts";
import type { Place } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";

/** Where a layer's bytes are. */
export type LayerPlace = Pick<AnyLayer, "origin"> & ({ readonly path: string } | { readonly origin: string });

/** What a layer of packages has in it. */
export interface KnownContents {
  /** One for each key asked for. */
  readonly inventories: readonly Inventory[];
  readonly contents: ContentsSource;
}

/** An image to be rebased. */
export interface RebaseSource {
  readonly place: Place;
  readonly digest: Digest;
  /** `host/repository`, where others can reach it. */
  readonly repository: string | undefined;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** @param index of the layer, 0 is the lowest */
  layerPlace(index: number): LayerPlace;
  /** A layer's bytes as they are stored. */
  openLayer(index: number): AsyncIterable<Uint8Array>;
  /** What is in a layer that consists of these fragments; undefined when that is not known any more. */
  contents(keys: readonly string[]): Promise<KnownContents | undefined>;
  /** The OS packages of its base; undefined when they are not known any more. */
  basePackages(key: Digest): Promise<readonly BasePackage[] | undefined>;
  /**
   * Where its packages came from, as far as that is recorded beside the image. Throws `CHECKSUM_MISMATCH`,
   * `ARCHIVE_INVALID`; of the registry.
   */
  recorded(): Promise<RecordedPackages>;
}

/**
 * An image in a registry.
 *
 * @param believed keys whose statements on the image count; none: the bill of materials that is attached to it counts, which
 *   is worth what the image is
 */
export async function publishedSource(
  image: PublishedImage,
  believed: readonly VerificationKey[],
  emit: EmitEvent,
): Promise<RebaseSource> {
  const origin = formatRepository(image.repository);
  const layers = openPublishedLayers([image], emit);
  const { repository, digest, manifest } = image;
  return {
    place: { url: `${origin}@${digest}` },
    digest,
    repository: publicUrl(`oci://${origin}`)?.slice("oci://".length),
    manifest,
    config: await image.config(),
    layerPlace: () => ({ origin }),
    openLayer(index) {
      const layer = manifest.layers[index];
      if (layer === undefined) throw new Error("there is no such layer");
      return readBlob(repository, layer);
    },
    contents: (keys) => layers.findLayer(keys),
    basePackages: async (key) => (await layers.find(key))?.packages,
    recorded: () => recordedOf(artifactRepository(repository), digest, believed, emit),
  };
}

/** What the bill of materials of an image in a registry says of its packages. */
async function recordedOf(
  repository: ArtifactSource,
  image: Digest,
  believed: readonly VerificationKey[],
  emit: EmitEvent,
): Promise<RecordedPackages> {
  const bill =
    believed.length > 0
      ? await attestedDocument(repository, image, predicateTypes.cyclonedx, believed)
      : await attachedDocument(repository, image, cycloneDxMediaType);
  if (bill !== undefined) return recordedPackages(bill, { address: publicUrl, license: isLicenseExpression });
  emit({
    type: "warning",
    code: "NOTICE",
    message:
      believed.length > 0
        ? "no trusted key has stated where the image's packages came from: its bill of materials will not say"
        : "nothing says where the image's packages came from: its bill of materials will not say",
    place: { url: `${repository.repository}@${image}` },
    hint: "`spacktainers push --force` makes the image anew, with all that is known of it",
  });
  return new Map();
}

/**
 * An image in an OCI layout. What is in its layers is known as long as this machine keeps what they were made of.
 *
 * @throws SpacktainersError NOT_FOUND, ARCHIVE_INVALID, CHECKSUM_MISMATCH
 */
export async function layoutSource(
  path: string,
  platform: Platform,
  { store, baseCacheDir }: { readonly store: FragmentStore; readonly baseCacheDir: string },
): Promise<RebaseSource> {
  // Layers stay as they are: their digests are compared by whoever reads them.
  const image = await readOciLayout(path, { platform, verifyLayers: false });
  const layerAt = (index: number) => {
    const layer = image.layers[index];
    if (layer === undefined) throw new Error("there is no such layer");
    return layer;
  };
  return {
    place: { file: path },
    digest: image.manifestDigest,
    repository: undefined,
    manifest: image.manifest,
    config: image.config,
    layerPlace: (index) => ({ path: layerAt(index).path }),
    openLayer: (index) => readBlobFile(layerAt(index)),
    async contents(keys) {
      const found = await Promise.all(keys.map((key) => store.find(key as FragmentKey)));
      const members = found.flatMap((one) => (one === undefined ? [] : [one]));
      if (members.length < keys.length) return undefined;
      const load = async () => contentsOf(await Promise.all(members.map((one) => one.inventoryBytes())));
      const { digest, size } = await load();
      const inventories = await Promise.all(members.map((one) => one.inventory()));
      return { inventories, contents: { digest, size, load } };
    },
    async basePackages(key) {
      return (await openBaseStore(baseCacheDir).read<BaseRecord>("built", key))?.packages;
    },
    async recorded() {
      const facts = await factsLeft(path, image);
      return new Map(
        facts?.packages.map(({ spec, archive, license }) => [spec.hash, { archive, license }] as const),
      );
    },
  };
}
