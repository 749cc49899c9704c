/** An image: layers in files, configuration and manifest as bytes. Everything else is a way to write it down. */
import {
  type Annotations,
  type Descriptor,
  type ExecutionConfig,
  type HistoryEntry,
  type ImageConfig,
  type ImageManifest,
  mediaTypes,
  type Platform,
} from "../archive/oci/types.ts";
import { type Digest, digestOf } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { formatTime } from "./created.ts";

/** What an image's documents say of a layer: a compressed tar. */
export interface LayerFacts {
  /** Of the compressed bytes. */
  readonly digest: Digest;
  /** Compressed bytes. */
  readonly size: number;
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  readonly mediaType: string;
  /** One line for the image's history: what is in it. */
  readonly createdBy: string;
  readonly annotations?: Annotations;
}

/** A finished layer in a file. */
export interface ImageLayer extends LayerFacts {
  readonly path: string;
  /** A repository that has it as well: `host/repository`. */
  readonly origin?: string;
}

/** A layer that is not on this machine: a repository of a registry has it. */
export interface RemoteLayer extends LayerFacts {
  /** `host/repository`. */
  readonly origin: string;
}

/** A layer, wherever its bytes are. */
export type AnyLayer = ImageLayer | RemoteLayer;

/** A document of an image, encoded. */
export interface EncodedDocument<T> {
  readonly value: T;
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
}

/** An image, ready to be written; one with layers elsewhere can be pushed to where they are. */
export interface Image<L extends AnyLayer = ImageLayer> {
  readonly platform: Platform;
  /** From bottom to top. */
  readonly layers: readonly L[];
  readonly config: EncodedDocument<ImageConfig>;
  readonly manifest: EncodedDocument<ImageManifest>;
}

/** What {@link assembleImage} makes an image of. */
export interface ImageRequest<L extends AnyLayer = ImageLayer> {
  readonly architecture: "amd64" | "arm64";
  /** From bottom to top. */
  readonly layers: readonly L[];
  /** Seconds since 1970 (see `createdTime`). */
  readonly created: number;
  readonly env: ReadonlyMap<string, string>;
  /** Default: {@link contractEntrypoint}; null: none. */
  readonly entrypoint?: readonly string[] | null;
  /** Default: {@link contractCommand}; null: none. */
  readonly command?: readonly string[] | null;
  readonly labels?: Annotations;
  readonly annotations?: Annotations;
  readonly user?: string;
  readonly workingDirectory?: string;
  /** `port/protocol`. */
  readonly exposedPorts?: ReadonlySet<string>;
  readonly volumes?: ReadonlySet<string>;
  readonly stopSignal?: string;
  readonly author?: string;
}

/** A login shell that runs the arguments given to the container, joined by blanks. */
export const contractEntrypoint: readonly string[] = [
  "/bin/bash",
  "--rcfile",
  "/etc/profile",
  "-l",
  "-c",
  "$*",
  "--",
];

/** Without arguments: a shell. */
export const contractCommand: readonly string[] = ["/bin/bash"];

/** Overlay file systems of container runtimes mount no more layers than this. */
export const maxLayers = 127;

/**
 * Makes an image of finished layers. Pure: the same request gives the same bytes.
 * @throws SpacktainersError NOT_SUPPORTED for more layers than runtimes can mount
 */
export function assembleImage<L extends AnyLayer>(request: ImageRequest<L>): Image<L> {
  if (request.layers.length > maxLayers)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `the image would have ${request.layers.length} layers; container runtimes mount at most ${maxLayers}`,
      { hint: "lower layers.budget in spacktainers.yaml" },
    );
  const platform = platformOf(request.architecture);
  const config = encode(makeConfig(request, platform), mediaTypes.config);
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: config.descriptor,
    layers: request.layers.map((layer) => ({
      mediaType: layer.mediaType,
      digest: layer.digest,
      size: layer.size,
      ...optionalAnnotations(layer.annotations),
    })),
    ...optionalAnnotations(request.annotations),
  };
  return { platform, layers: request.layers, config, manifest: encode(manifest, mediaTypes.manifest) };
}

/** The OCI platform of an architecture; 64-bit ARM carries its variant, as everywhere. */
export function platformOf(architecture: "amd64" | "arm64"): Platform {
  return architecture === "arm64"
    ? { architecture, os: "linux", variant: "v8" }
    : { architecture, os: "linux" };
}

/** A JSON document as bytes with its descriptor; keys in the order they have in `value`. */
export function encode<T>(value: T, mediaType: string): EncodedDocument<T> {
  const bytes = Buffer.from(JSON.stringify(value), "utf8");
  return { value, bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}

/** A copy with the keys sorted by code units, so that equal annotations are equal bytes. */
export function sortedAnnotations(annotations: Annotations): Annotations {
  const sorted: Record<string, string> = {};
  for (const key of Object.keys(annotations).sort()) {
    const value = annotations[key];
    // defineProperty: a foreign key may be "__proto__".
    if (value !== undefined)
      Object.defineProperty(sorted, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return sorted;
}

function optionalAnnotations(annotations: Annotations | undefined): { readonly annotations?: Annotations } {
  if (annotations === undefined || Object.keys(annotations).length === 0) return {};
  return { annotations: sortedAnnotations(annotations) };
}

function makeConfig(request: ImageRequest<AnyLayer>, platform: Platform): ImageConfig {
  const { entrypoint = contractEntrypoint, command = contractCommand, exposedPorts, volumes } = request;
  const created = formatTime(request.created);
  const labels = sortedAnnotations(request.labels ?? {});
  const history: HistoryEntry[] = request.layers.map((layer) => ({ created, created_by: layer.createdBy }));
  return {
    created,
    ...(request.author === undefined ? {} : { author: request.author }),
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    config: {
      ...(request.user === undefined ? {} : { User: request.user }),
      ...optionalSet("ExposedPorts", exposedPorts),
      Env: formatEnv(request.env),
      ...(entrypoint === null ? {} : { Entrypoint: entrypoint }),
      ...(command === null ? {} : { Cmd: command }),
      ...optionalSet("Volumes", volumes),
      ...(request.workingDirectory === undefined ? {} : { WorkingDir: request.workingDirectory }),
      ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }),
      ...(request.stopSignal === undefined ? {} : { StopSignal: request.stopSignal }),
    },
    rootfs: { type: "layers", diff_ids: request.layers.map((layer) => layer.diffId) },
    history,
  };
}

/** A set as the specification has them: an object whose keys are the members. */
function optionalSet(
  key: "ExposedPorts" | "Volumes",
  set: ReadonlySet<string> | undefined,
): Pick<ExecutionConfig, "ExposedPorts" | "Volumes"> {
  if (set === undefined || set.size === 0) return {};
  return { [key]: Object.fromEntries([...set].sort().map((name) => [name, {}])) };
}

/** `NAME=value`; `PATH` first, where people look for it, the rest sorted. */
function formatEnv(env: ReadonlyMap<string, string>): string[] {
  const rank = (name: string): number => (name === "PATH" ? 0 : 1);
  return [...env]
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`);
}
