/** Documents of the OCI image specification v1.1, as far as this program reads and writes them. */
import type { Digest } from "../../util/digest.ts";
import type { CompressionFormat } from "../layerCompression.ts";

/** Media types we write. */
export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstdLayer: "application/vnd.oci.image.layer.v1.tar+zstd",
} as const;

/** The media type of a layer that we compressed. */
export function layerMediaType(format: CompressionFormat): string {
  return format === "zstd" ? mediaTypes.zstdLayer : mediaTypes.layer;
}

/** True for indexes of images: OCI's, and Docker's manifest lists. */
export function isIndexType(mediaType: string): boolean {
  return (
    mediaType === mediaTypes.index ||
    mediaType === "application/vnd.docker.distribution.manifest.list.v2+json"
  );
}

/** True for manifests of images: OCI's, and Docker's of schema 2. */
export function isManifestType(mediaType: string): boolean {
  return (
    mediaType === mediaTypes.manifest || mediaType === "application/vnd.docker.distribution.manifest.v2+json"
  );
}

/** True for configurations of images: OCI's and Docker's. */
export function isConfigType(mediaType: string): boolean {
  return mediaType === mediaTypes.config || mediaType === "application/vnd.docker.container.image.v1+json";
}

/** How a layer's bytes are compressed. */
export type LayerCompression = "none" | "gzip" | "zstd";

/** The compression a layer media type stands for (OCI and Docker names), or undefined for other types. */
export function layerCompression(mediaType: string): LayerCompression | undefined {
  return layerTypes.get(mediaType);
}

const layerTypes: ReadonlyMap<string, LayerCompression> = new Map([
  ["application/vnd.oci.image.layer.v1.tar", "none"],
  ["application/vnd.oci.image.layer.v1.tar+gzip", "gzip"],
  ["application/vnd.oci.image.layer.v1.tar+zstd", "zstd"],
  ["application/vnd.docker.image.rootfs.diff.tar", "none"],
  ["application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip"],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", "zstd"],
]);

/** Text to text; written sorted by key. */
export type Annotations = Readonly<Record<string, string>>;

/** What an image runs on. */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
}

/** A reference to a blob. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform;
  /** What it is a manifest of, when that is no image (specification 1.1). */
  readonly artifactType?: string;
  readonly annotations?: Annotations | undefined;
}

/** An image manifest. */
export interface ImageManifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** The manifest that this one says something about. */
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Annotations;
}

/** An image index: of several platforms, or `index.json` of a layout. */
export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Annotations;
}

/** One line of an image's history. */
export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** How a container is started by default. */
export interface ExecutionConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly Labels?: Annotations;
  /** Sets: the keys are the members. */
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly StopSignal?: string;
}

/** An image's configuration. */
export interface ImageConfig {
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly os: string;
  readonly config?: ExecutionConfig;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly Digest[] };
  readonly history?: readonly HistoryEntry[];
}

/** The annotation that names an image inside a layout. */
export const referenceAnnotation = "org.opencontainers.image.ref.name";
