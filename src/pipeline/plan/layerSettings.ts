import { type CompressionSettings, compressionSettings } from "../../archive/layerCompression.ts";
import type { Configuration } from "../../definitions/configuration.ts";

/** How a repository's layers are compressed. */
export function layerSettings({ layers }: Pick<Configuration, "layers">): CompressionSettings {
  return compressionSettings(layers.compression, layers.level);
}
