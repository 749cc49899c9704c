/** What an image says of how it was made. */
import type { Annotations } from "../../archive/oci/types.ts";
import type { Completion } from "../../base/completions.ts";
import type { BasePackage } from "../../base/types.ts";
import type { Architecture } from "../../definitions/configuration.ts";
import {
  assemblyAnnotation,
  baseKeyAnnotation,
  completionAnnotation,
  epilogueAnnotation,
  layerKeysAnnotation,
} from "../../image/annotations.ts";
import type { OciImage } from "../../image/image.ts";
import { isRegistryImage } from "../../image/openRegistryImage.ts";
import { type AssemblySettings, parseAssemblySettings } from "../../pipeline/assemble/assemblySettings.ts";
import { recordedDescription } from "../../pipeline/describe/describeImage.ts";
import type { RecordedPackages } from "../../supply/recordedPackages.ts";
import { parseDigest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { readTopLayer } from "../rebase/imageParts.ts";
import { registryRecords } from "../rebase/imageRecords.ts";

/** What an image says of itself. */
export interface BuildRecord {
  readonly name: string;
  readonly version: string;
  readonly arch: Architecture;
  readonly assembly: AssemblySettings;
  /** Texts of `spack.yaml` and `spack.lock`. */
  readonly manifest: string;
  readonly lock: string;
  readonly labels: Annotations;
  readonly annotations: Annotations;
  /** Seconds since 1970. */
  readonly created: number;
  readonly completion: Completion | undefined;
  /** OS packages underneath; undefined where they are not recorded with what identifies them. */
  readonly basePackages: readonly BasePackage[] | undefined;
  /** Archives of packages by hash, as far as they are recorded. */
  readonly archives: RecordedPackages;
  /** Keys of the fragments in its layers, in their order. */
  readonly fragments: readonly string[];
  readonly hasEpilogue: boolean;
  /** Version of the program that made it; undefined: not recorded. */
  readonly toolVersion: string | undefined;
}

/**
 * Reads what an image says of itself: annotations, the top layer, and what was published or left beside it.
 *
 * @throws {SpacktainersError} `NOT_SUPPORTED` for an image that does not say what it was made from; of reading it
 */
export async function readBuildRecord(image: OciImage, emit: EmitEvent): Promise<BuildRecord> {
  const { place } = image;
  const annotations = image.manifest.value.annotations ?? {};
  const config = (await image.config()).value;
  const { architecture: arch } = config;
  const name = annotations["org.opencontainers.image.title"];
  const version = annotations["org.opencontainers.image.version"];
  const said = annotations[assemblyAnnotation];
  if (
    said === undefined ||
    name === undefined ||
    version === undefined ||
    (arch !== "amd64" && arch !== "arm64")
  )
    throw new SpacktainersError("NOT_SUPPORTED", "the image does not record what it was made from", {
      place,
      hint: "only images of `spacktainers build` and `push` do",
    });
  const layers = await image.layers();
  const epilogue = epilogueLayers(annotations);
  // The layers of an epilogue are above the one with the environment.
  const top = layers.length - 1 - (epilogue ?? 0);
  const { manifest, lock } = await readTopLayer(image, layers[top]);
  const facts = await recordedDescription(image);
  const records = isRegistryImage(image) ? registryRecords(image, [], emit) : undefined;
  const baseKey = parseDigest(layers[0]?.annotations?.[baseKeyAnnotation] ?? "");
  const published = baseKey === undefined ? undefined : await records?.basePackages(baseKey);
  const [key, ...libraries] = annotations[completionAnnotation]?.split(" ") ?? [];
  const completionKey = parseDigest(key ?? "");
  return {
    name,
    version,
    arch,
    assembly: parseAssemblySettings(said, place),
    manifest,
    lock,
    labels: config.config?.Labels ?? {},
    annotations,
    created: Math.trunc(Date.parse(config.created ?? "") / 1000) || 0,
    completion: completionKey === undefined ? undefined : { key: completionKey, libraries },
    basePackages: facts?.base.packages ?? published,
    archives:
      facts === undefined
        ? ((await records?.recorded()) ?? new Map())
        : new Map(
            facts.packages.map(({ spec, archive, license }) => [spec.hash, { archive, license }] as const),
          ),
    fragments: layers
      .slice(0, top)
      .flatMap((layer) => layer.annotations?.[layerKeysAnnotation]?.split(" ") ?? []),
    hasEpilogue: epilogue !== undefined,
    toolVersion: facts?.toolVersion,
  };
}

/** How many layers of an image, the upper ones, its epilogue made; undefined: it has none. */
export function epilogueLayers(annotations: Annotations): number | undefined {
  const text = annotations[epilogueAnnotation];
  if (text === undefined) return undefined;
  try {
    const said: unknown = JSON.parse(text);
    const count = typeof said === "object" && said !== null && "layers" in said ? said.layers : 0;
    return typeof count === "number" && Number.isSafeInteger(count) && count > 0 ? count : 0;
  } catch {
    return 0;
  }
}
