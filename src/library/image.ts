/** `spacktainers/image`: packages as files, files as layers, layers as images; images read, written and published. */
import "../util/requireNode.ts";

export type { Entry, EntryStream } from "../archive/entry.ts";
export type { Inventory, InventoryEntry } from "../archive/inventory.ts";
export { type CompressionSettings, compressionSettings } from "../archive/layerCompression.ts";
export { writeTar } from "../archive/writeTar.ts";
export { assembleImage, type ImageRequest } from "../image/assembleImage.ts";
export type { Image, OciImage } from "../image/image.ts";
export type { Layer, OciLayer } from "../image/layer.ts";
export { layerEntries } from "../image/layerEntries.ts";
export {
  type LayerBudget,
  type PlannedPackage,
  packageLayerBudget,
  planLayers,
} from "../image/planLayers.ts";
export { writeDockerArchive, writeOciArchive } from "../image/writeArchives.ts";
export { writeOciLayout } from "../image/writeOciLayout.ts";
export { writeRootfs } from "../image/writeRootfs.ts";
export { type InstalledPackage, installPackage } from "../install/installPackage.ts";
export type { InstallRequest } from "../install/types.ts";
export { type OpenImageOptions, openImage } from "./openImage.ts";
export { type InstallationOptions, type PlannedInstallation, planInstallation } from "./planInstallation.ts";
export { type PublishedImage, type PushImageOptions, pushImage } from "./pushImage.ts";
export { type WriteLayerOptions, writeLayer } from "./writeLayer.ts";
