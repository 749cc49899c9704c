/** What decided an image apart from its parts: kept with it, so that it can be put on another base without its definition. */
import * as z from "zod";
import { type CompressionSettings, compressionLevels } from "../../archive/layerCompression.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Dialect } from "../../spec/abstract.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";

/** The words of a configuration and a command line that an image's files do not tell. */
export interface AssemblySettings {
  readonly configuration: Pick<Configuration, "install" | "view">;
  /** Generation of the spec language that the manifest was read in. */
  readonly dialect: Dialect;
  /** What may stay unresolved. */
  readonly allow: readonly string[];
  /** Of the top layer. */
  readonly compression: CompressionSettings;
}

const path = z.string().max(4096).regex(/^\//, "must be absolute");

const schema = z
  .strictObject({
    root: path,
    view: path,
    dialect: z.enum(["0.x", "1.x"]),
    allow: z.array(z.string().max(4096)).max(10_000),
    compression: z.enum(["gzip", "zstd"]),
    level: z.int(),
  })
  .refine(
    ({ compression, level }) =>
      level >= compressionLevels[compression].lowest && level <= compressionLevels[compression].highest,
    "the level must be one of the format's",
  );

/** The settings as an annotation: JSON, the same for the same settings. */
export function formatAssemblySettings({
  configuration,
  dialect,
  allow,
  compression,
}: AssemblySettings): string {
  const { install, view } = configuration;
  const { format, level } = compression;
  return JSON.stringify({ root: install.root, view: view.root, dialect, allow, compression: format, level });
}

/**
 * Reads the annotation.
 *
 * @throws SpacktainersError ARCHIVE_INVALID
 */
export function parseAssemblySettings(text: string, place: Place): AssemblySettings {
  try {
    const { root, view, dialect, allow, compression, level } = schema.parse(JSON.parse(text));
    return {
      configuration: { install: { root, projections: undefined }, view: { root: view } },
      dialect,
      allow,
      compression: { format: compression, level },
    };
  } catch (cause) {
    throw new SpacktainersError("ARCHIVE_INVALID", "what the image says of how it was made cannot be read", {
      place,
      cause,
      hint: "`spacktainers push --force` makes it from its definition",
    });
  }
}
