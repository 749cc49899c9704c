/** What is known about an image of spacktainers beside the image itself: in its registry, or on this machine. */
import type { Inventory } from "../../archive/inventory.ts";
import type { BaseRecord } from "../../base/baseRecord.ts";
import { openBaseStore } from "../../base/baseStore.ts";
import type { BasePackage } from "../../base/types.ts";
import type { FragmentKey, FragmentStore } from "../../image/fragmentStore.ts";
import type { OciImage } from "../../image/image.ts";
import type { RegistryImage } from "../../image/openRegistryImage.ts";
import { publicUrl } from "../../pipeline/assemble/describeBuilt.ts";
import { isLicenseExpression } from "../../pipeline/assemble/licenseLookup.ts";
import { recordedDescription } from "../../pipeline/describe/describeImage.ts";
import { artifactRepository } from "../../publish/artifactRepository.ts";
import type { ContentsSource } from "../../publish/contentsArtifact.ts";
import { contentsOf } from "../../publish/layerContents.ts";
import { openPublishedLayers } from "../../publish/publishedLayers.ts";
import { formatRepository } from "../../registry/reference.ts";
import { cycloneDxMediaType } from "../../supply/cycloneDx.ts";
import { publishedBill } from "../../supply/publishedBill.ts";
import { type RecordedPackages, recordedPackages } from "../../supply/recordedPackages.ts";
import type { VerificationKey } from "../../supply/signingKey.ts";
import type { Digest } from "../../util/digest.ts";
import type { EmitEvent } from "../../util/events.ts";

/** What a layer of packages has in it. */
export interface KnownContents {
  /** One for each key asked for. */
  readonly inventories: readonly Inventory[];
  readonly contents: ContentsSource;
}

/** What is recorded of an image. */
export interface ImageRecords {
  /** `host/repository`, where others can reach the image; undefined when they cannot. */
  readonly repository: string | undefined;
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
 * The records of an image in a registry.
 *
 * @param believed keys whose statements on the image count; none: the bill of materials that is attached to it counts, which
 *   is worth what the image is
 */
export function registryRecords(
  image: RegistryImage,
  believed: readonly VerificationKey[],
  emit: EmitEvent,
): ImageRecords {
  const layers = openPublishedLayers([image], emit);
  return {
    repository: publicUrl(`oci://${formatRepository(image.repository)}`)?.slice("oci://".length),
    contents: (keys) => layers.findLayer(keys),
    basePackages: async (key) => (await layers.find(key))?.packages,
    recorded: () => recordedOf(image, believed, emit),
  };
}

/** What the bill of materials of an image in a registry says of its packages. */
async function recordedOf(
  { repository, manifest, reference }: RegistryImage,
  believed: readonly VerificationKey[],
  emit: EmitEvent,
): Promise<RecordedPackages> {
  const { digest } = manifest.descriptor;
  const bill = await publishedBill(artifactRepository(repository), digest, cycloneDxMediaType, believed);
  const tell = (message: string, hint: string): void =>
    emit({ type: "warning", code: "NOTICE", message, place: { url: reference ?? "" }, hint });
  switch (bill.kind) {
    case "unattested":
      tell(
        "only an unsigned bill of materials records where the image's packages came from",
        "name the public keys that may sign: `signing: { public: [cosign.pub] }` in spacktainers.yaml",
      );
      break;
    case "refused":
    case "none":
      tell(
        believed.length > 0
          ? "no trusted key has stated where the image's packages came from, so its bill of materials will not record it"
          : "the image does not record where its packages came from, so its bill of materials will not record it either",
        "to rebuild the image with complete records: `spacktainers push --force`",
      );
      return new Map();
  }
  return recordedPackages(bill.document, { address: publicUrl, license: isLicenseExpression });
}

/** The records of an image in a layout or an archive, as long as this machine keeps what its layers were made of. */
export function machineRecords(
  image: OciImage,
  { store, baseCacheDir }: { readonly store: FragmentStore; readonly baseCacheDir: string },
): ImageRecords {
  return {
    repository: undefined,
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
      const facts = await recordedDescription(image);
      return new Map(
        facts?.packages.map(({ spec, archive, license }) => [spec.hash, { archive, license }] as const),
      );
    },
  };
}
