/** An image by its manifest, whatever it is read from. */
import { damagedImage, parseImageConfig, parseImageManifest } from "../archive/oci/parse.ts";
import {
  type Descriptor,
  type ImageConfig,
  isConfigType,
  layerCompression,
  type Platform,
} from "../archive/oci/types.ts";
import { counted } from "../util/counted.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import type { EncodedDocument } from "./encodedDocument.ts";
import { noPlatform, notAnImage, shown } from "./followIndex.ts";
import type { AttachedDocument, ImageOrigin, OciImage } from "./image.ts";
import type { LayerDescriptor, OciLayer } from "./layer.ts";
import { platformRank } from "./platform.ts";

/** A configuration is a small document; a larger one is an attack or a mistake. */
export const maxConfigBytes = 8 * 2 ** 20;

/** Where an image's parts are read from. */
export interface OciImageSource {
  /** Of the image, for messages. */
  readonly place: Place;
  readonly origin: ImageOrigin;
  /** See `Image.reference`. */
  readonly reference: string | undefined;
  readonly manifest: { readonly bytes: Buffer; readonly descriptor: Descriptor };
  /** It has to be for one of these. */
  readonly platforms: readonly Platform[];
  /** Reads the configuration, and compares it with digest and size. */
  readConfig(descriptor: Descriptor): Promise<Buffer>;
  /** Finds a layer, and compares its size. */
  layer(facts: LayerDescriptor): Promise<OciLayer>;
  attachedDocuments(maxBytes: number): Promise<readonly AttachedDocument[]>;
  close(): Promise<void>;
}

/**
 * Makes an image of its manifest, which is read at once; nothing else is.
 * @throws SpacktainersError ARCHIVE_INVALID
 */
export function ociImage(source: OciImageSource): OciImage {
  const { place, origin, reference, manifest, platforms } = source;
  const value = parseImageManifest(manifest.bytes, place);
  const { config: configDescriptor, layers: descriptors } = value;

  async function readConfig(): Promise<EncodedDocument<ImageConfig>> {
    for (const { mediaType } of descriptors)
      if (layerCompression(mediaType) === undefined)
        throw notAnImage(`layers of the type ${shown(mediaType)}`, place);
    if (!isConfigType(configDescriptor.mediaType))
      throw notAnImage(`images with a configuration of the type ${shown(configDescriptor.mediaType)}`, place);
    if (configDescriptor.size > maxConfigBytes)
      throw new SpacktainersError("ARCHIVE_INVALID", "the configuration of the image is too large", {
        place,
        hint: damagedImage,
      });
    const bytes = await source.readConfig(configDescriptor);
    const config = parseImageConfig(bytes, place);
    if (platformRank(platforms)(config) === undefined) throw noPlatform(platforms, [config], place);
    const count = config.rootfs.diff_ids.length;
    if (count !== descriptors.length)
      throw new SpacktainersError(
        "ARCHIVE_INVALID",
        `the image has ${counted(descriptors.length, "layer")}, but its configuration names ${count}`,
        { place, hint: damagedImage },
      );
    return { value: config, bytes, descriptor: configDescriptor };
  }

  async function findLayers(): Promise<readonly OciLayer[]> {
    const { value: config } = await image.config();
    const lines = createdBy(config);
    const layers: OciLayer[] = [];
    for (const [index, { digest, size, mediaType, annotations }] of descriptors.entries()) {
      const diffId = config.rootfs.diff_ids[index];
      if (diffId === undefined) throw new SpacktainersError("INTERNAL", "a layer has no diffId");
      const facts = { digest, size, diffId, mediaType, createdBy: lines[index] ?? "", annotations };
      layers.push(await source.layer(facts));
    }
    return layers;
  }

  let config: Promise<EncodedDocument<ImageConfig>> | undefined;
  let layers: Promise<readonly OciLayer[]> | undefined;
  const image: OciImage = {
    place,
    origin,
    reference,
    manifest: { value, bytes: manifest.bytes, descriptor: manifest.descriptor },
    hasOwnScripts: false,
    apptainerPath: undefined,
    config() {
      config ??= readConfig();
      return config;
    },
    layers() {
      layers ??= findLayers();
      return layers;
    },
    contentDigest: () => Promise.resolve(descriptors.length === 0 ? undefined : configDescriptor.digest),
    attachedDocuments: source.attachedDocuments,
    close: source.close,
  };
  return image;
}

/** The lines of the history that stand for layers. */
function createdBy({ history = [] }: ImageConfig): readonly string[] {
  return history.filter((line) => line.empty_layer !== true).map((line) => line.created_by ?? "");
}
