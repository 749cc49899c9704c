/** An image of finished layers: its configuration and its manifest. */
import {
  type Annotations,
  type ExecutionConfig,
  type HistoryEntry,
  type ImageConfig,
  type ImageManifest,
  mediaTypes,
  type Platform,
} from "../archive/oci/types.ts";
import { SpacktainersError } from "../util/errors.ts";
import { formatTime } from "./created.ts";
import { encode } from "./encodedDocument.ts";
import type { OciImage } from "./image.ts";
import type { OciLayer } from "./layer.ts";
import { platformOf } from "./platform.ts";

/** What {@link assembleImage} makes an image of. */
export interface ImageRequest {
  readonly architecture: "amd64" | "arm64";
  /** From bottom to top. */
  readonly layers: readonly OciLayer[];
  /** Seconds since 1970 (see `createdTime`). */
  readonly created: number;
  readonly env: ReadonlyMap<string, string>;
  /** Default: {@link contractEntrypoint}; null: none. */
  readonly entrypoint?: readonly string[] | null;
  /** Default: {@link contractCommand}; null: none. */
  readonly command?: readonly string[] | null;
  readonly labels?: Annotations;
  readonly annotations?: Annotations;
  readonly user?: string | undefined;
  readonly workingDirectory?: string | undefined;
  /** `port/protocol`. */
  readonly exposedPorts?: ReadonlySet<string>;
  readonly volumes?: ReadonlySet<string>;
  readonly stopSignal?: string | undefined;
  readonly author?: string | undefined;
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
export function assembleImage(request: ImageRequest): OciImage {
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
  const encoded = encode(manifest, mediaTypes.manifest);
  const { digest } = encoded.descriptor;
  return {
    place: {},
    origin: { bootstrap: "oci", from: digest },
    reference: undefined,
    manifest: encoded,
    hasOwnScripts: false,
    apptainerPath: undefined,
    config: () => Promise.resolve(config),
    layers: () => Promise.resolve(request.layers),
    contentDigest: () => Promise.resolve(request.layers.length === 0 ? undefined : config.descriptor.digest),
    attachedDocuments: () => Promise.resolve([]),
    close: async () => {},
  };
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

function makeConfig(request: ImageRequest, platform: Platform): ImageConfig {
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
