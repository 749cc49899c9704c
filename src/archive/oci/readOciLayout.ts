import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, digestOfHex, hexOfDigest } from "../../util/digest.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../../util/errors.ts";
import { isJsonObject } from "../../util/json.ts";
import { readBounded } from "../../util/readBounded.ts";
import { indexTar, type TarExtent } from "../tarIndex.ts";
import { parseImageConfig, parseIndex, parseManifest } from "./parse.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageManifest,
  isIndexType,
  layerCompression,
  type Platform,
  referenceAnnotation,
} from "./types.ts";

/** Documents are small; a larger one is an attack or a mistake. */
const maxDocumentBytes = 8 * 2 ** 20;
/** Indexes in indexes. */
const maxDepth = 4;
/** Documents read to find an image: indexes, and candidates whose configuration has to be read to know their platform. */
const maxRead = 200;

/** Which image of a layout. */
export interface LayoutQuery {
  readonly platform: Platform;
  /** Value of `org.opencontainers.image.ref.name`; when absent the layout must hold only one image for the platform. */
  readonly reference?: string;
  /** Read every layer and compare its digest (default true); otherwise only sizes are compared. */
  readonly verifyLayers?: boolean;
}

/** One layer of an image in a layout. */
export interface LayoutLayer {
  readonly path: string;
  /** Where in the file the blob begins, in bytes: absent in a directory, where the file is the blob. */
  readonly offset?: number;
  readonly digest: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  readonly mediaType: string;
  readonly diffId: Digest;
}

/** An image in a layout, verified. */
export interface LayoutImage {
  readonly manifestDigest: Digest;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** The configuration as it is, byte for byte. */
  readonly configBytes: Buffer;
  /** From bottom to top. */
  readonly layers: readonly LayoutLayer[];
}

/**
 * Finds an image in an OCI image layout directory (OCI image specification, "Image Layout") and verifies digests and sizes
 * from the manifest down.
 *
 * @throws SpacktainersError NOT_FOUND (no layout, no such image, missing blob), ARCHIVE_INVALID (malformed),
 *   CHECKSUM_MISMATCH, NOT_SUPPORTED (encrypted or foreign layers), USAGE (several images fit)
 */
export async function readOciLayout(directory: string, query: LayoutQuery): Promise<LayoutImage> {
  return readLayout(directoryFiles(directory), query);
}

/**
 * As {@link readOciLayout}, in an OCI layout that is one tar file, not compressed (`oci-archive`). Layers stay where they
 * are in it.
 *
 * @throws as {@link readOciLayout}; ARCHIVE_INVALID, ARCHIVE_UNSAFE for a bad archive
 */
export async function readOciArchive(archive: string, query: LayoutQuery): Promise<LayoutImage> {
  const place = { file: archive };
  try {
    const file = await open(archive, "r");
    const members = await indexTar(file, place).finally(() => file.close());
    return await readLayout(archiveFiles(archive, members), query);
  } catch (error) {
    throw asSpacktainersError(error, place);
  }
}

/** The files of a layout, wherever they are. */
interface LayoutFiles {
  /** The layout's own path, for messages. */
  readonly root: string;
  /** Where a file is; undefined when there is none. */
  find(name: string): Promise<FileExtent | undefined>;
}

interface FileExtent {
  readonly path: string;
  /** 0 for a file of its own. */
  readonly offset: number;
  readonly size: number;
}

function directoryFiles(directory: string): LayoutFiles {
  return {
    root: directory,
    async find(name) {
      const path = join(directory, name);
      const facts = await stat(path).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw asSpacktainersError(error, { file: path });
      });
      return facts === undefined ? undefined : { path, offset: 0, size: facts.size };
    },
  };
}

function archiveFiles(archive: string, members: ReadonlyMap<string, TarExtent>): LayoutFiles {
  return {
    root: archive,
    async find(name) {
      const extent = members.get(name);
      return extent === undefined ? undefined : { path: archive, ...extent };
    },
  };
}

async function readLayout(files: LayoutFiles, query: LayoutQuery): Promise<LayoutImage> {
  const place = { file: files.root };
  const marker = await readDocument(files, "oci-layout", 4096).catch((error: unknown) => {
    throw new SpacktainersError("NOT_FOUND", "this is not an OCI image layout: it has no file oci-layout", {
      place,
      cause: error,
    });
  });
  expectLayoutVersion(marker, place);
  const index = parseIndex(await readDocument(files, "index.json", maxDocumentBytes), {
    file: join(files.root, "index.json"),
  });
  const named = index.manifests.filter(
    (item) => query.reference === undefined || item.annotations?.[referenceAnnotation] === query.reference,
  );
  if (named.length === 0)
    throw new SpacktainersError("NOT_FOUND", `the layout has no image ${query.reference ?? ""}`.trimEnd(), {
      place,
      hint: `it has: ${namesIn(index.manifests)}`,
    });
  const found = await fitting(files, named, query.platform, 0, new Set());
  const wanted = [...new Map(found.map((item) => [item.digest, item])).values()];
  const [chosen, other] = wanted;
  if (chosen === undefined)
    throw new SpacktainersError("NOT_FOUND", `the layout has no image for ${platformText(query.platform)}`, {
      place,
    });
  if (other !== undefined)
    throw new SpacktainersError(
      "USAGE",
      `the layout has ${wanted.length} images for ${platformText(query.platform)}`,
      { place, hint: `say which one; it has: ${namesIn(index.manifests)}` },
    );
  return readImage(files, chosen, query.verifyLayers ?? true);
}

/** Path of a blob in a layout. */
export function layoutBlobPath(directory: string, digest: Digest): string {
  return join(directory, "blobs", "sha256", hexOfDigest(digest));
}

function expectLayoutVersion(marker: Buffer, place: Place): void {
  let version: unknown;
  try {
    const json: unknown = JSON.parse(marker.toString("utf8"));
    version = isJsonObject(json) ? json.imageLayoutVersion : undefined;
  } catch {
    version = undefined;
  }
  if (typeof version !== "string" || !/^1\.\d{1,6}\.\d{1,6}$/.test(version))
    throw new SpacktainersError("ARCHIVE_INVALID", "the file oci-layout does not name a version we know", {
      place,
    });
}

/** Manifests for the platform among descriptors, nested indexes looked into; the best match of the variant only. */
async function fitting(
  files: LayoutFiles,
  descriptors: readonly Descriptor[],
  platform: Platform,
  depth: number,
  read: Set<Digest>,
): Promise<Descriptor[]> {
  const found: { descriptor: Descriptor; variant: string | undefined }[] = [];
  for (const descriptor of descriptors) {
    const isIndex = isIndexType(descriptor.mediaType);
    if (isIndex || descriptor.platform === undefined) {
      if (read.has(descriptor.digest) || read.size >= maxRead) continue;
      read.add(descriptor.digest);
    }
    if (isIndex) {
      if (depth >= maxDepth)
        throw new SpacktainersError("ARCHIVE_INVALID", "the layout's indexes are nested too deeply", {
          place: { file: files.root },
        });
      const bytes = await readBlob(files, descriptor);
      const nested = parseIndex(bytes, { file: layoutBlobPath(files.root, descriptor.digest) });
      const inner = await fitting(files, nested.manifests, platform, depth + 1, read);
      found.push(...inner.map((item) => ({ descriptor: item, variant: item.platform?.variant })));
      continue;
    }
    const actual = descriptor.platform ?? (await readImage(files, descriptor, false)).config;
    if (actual.os !== platform.os || actual.architecture !== platform.architecture) continue;
    found.push({ descriptor, variant: actual.variant });
  }
  const exact = found.filter((item) => item.variant === platform.variant);
  const plain = found.filter((item) => item.variant === undefined);
  const best = exact.length > 0 ? exact : plain.length > 0 ? plain : found;
  return best.map((item) => item.descriptor);
}

async function readImage(files: LayoutFiles, descriptor: Descriptor, verify: boolean): Promise<LayoutImage> {
  const manifestPath = layoutBlobPath(files.root, descriptor.digest);
  const manifest = parseManifest(await readBlob(files, descriptor), { file: manifestPath });
  const configBytes = await readBlob(files, manifest.config);
  const config = parseImageConfig(configBytes, { file: layoutBlobPath(files.root, manifest.config.digest) });
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length)
    throw new SpacktainersError(
      "ARCHIVE_INVALID",
      `the image has ${manifest.layers.length} layers but its configuration names ${diffIds.length}`,
      { place: { file: manifestPath } },
    );
  const layers: LayoutLayer[] = [];
  for (const [index, layer] of manifest.layers.entries()) {
    const diffId = diffIds[index];
    if (diffId === undefined) break;
    if (layerCompression(layer.mediaType) === undefined)
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        `layers of the type ${layer.mediaType} are not supported`,
        {
          place: { file: manifestPath },
        },
      );
    const { path, offset } = await expectBlob(files, layer, verify);
    layers.push({
      path,
      ...(offset === 0 ? {} : { offset }),
      digest: layer.digest,
      size: layer.size,
      mediaType: layer.mediaType,
      diffId,
    });
  }
  return { manifestDigest: descriptor.digest, manifest, config, configBytes, layers };
}

async function readBlob(files: LayoutFiles, descriptor: Descriptor): Promise<Buffer> {
  const path = layoutBlobPath(files.root, descriptor.digest);
  if (descriptor.size > maxDocumentBytes)
    throw new SpacktainersError("ARCHIVE_INVALID", "a document of the image is too large", {
      place: { file: path },
    });
  const bytes = await readDocument(files, blobName(descriptor.digest), maxDocumentBytes);
  if (bytes.length !== descriptor.size || digestOf(bytes) !== descriptor.digest) throw mismatch(path);
  return bytes;
}

async function readDocument(files: LayoutFiles, name: string, most: number): Promise<Buffer> {
  const place = { file: join(files.root, name) };
  const extent = await files.find(name);
  if (extent === undefined) throw new SpacktainersError("NOT_FOUND", "no such file", { place });
  const bytes =
    extent.size > most
      ? undefined
      : await readExtent(extent, most).catch((error: unknown) => {
          throw asSpacktainersError(error, place);
        });
  if (bytes !== undefined) return bytes;
  throw new SpacktainersError("ARCHIVE_INVALID", "a document of the image is too large", { place });
}

/** A file that is no part of another one is read as it is now, whatever it was when it was found. */
async function readExtent(extent: FileExtent, most: number): Promise<Buffer | undefined> {
  if (extent.offset === 0) return readBounded(extent.path, most);
  const pieces: Buffer[] = [];
  for await (const piece of readBlobFile(extent)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The bytes of a blob: a file, or a part of one. */
export async function* readBlobFile(extent: {
  readonly path: string;
  readonly offset?: number;
  readonly size: number;
}): AsyncGenerator<Buffer, void, void> {
  const { path, offset = 0, size } = extent;
  if (size === 0) return;
  const range = offset === 0 ? {} : { start: offset, end: offset + size - 1 };
  yield* createReadStream(path, { ...range, highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>;
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOfDigest(digest)}`;
}

async function expectBlob(files: LayoutFiles, descriptor: Descriptor, verify: boolean): Promise<FileExtent> {
  const path = layoutBlobPath(files.root, descriptor.digest);
  try {
    const extent = await files.find(blobName(descriptor.digest));
    if (extent === undefined)
      throw new SpacktainersError("NOT_FOUND", "no such file", { place: { file: path } });
    if (extent.size !== descriptor.size) throw mismatch(path);
    if (!verify) return extent;
    const hash = createHash("sha256");
    for await (const chunk of readBlobFile(extent)) hash.update(chunk);
    if (digestOfHex(hash.digest("hex")) !== descriptor.digest) throw mismatch(path);
    return extent;
  } catch (error) {
    throw asSpacktainersError(error, { file: path });
  }
}

function mismatch(path: string): SpacktainersError {
  return new SpacktainersError("CHECKSUM_MISMATCH", "a blob of the image is not what its digest says", {
    place: { file: path },
    hint: "the layout is damaged; make it again",
  });
}

function namesIn(descriptors: readonly Descriptor[]): string {
  const names = descriptors.slice(0, 20).map((item) => {
    const platform = item.platform === undefined ? "" : ` (${platformText(item.platform)})`;
    return `${item.annotations?.[referenceAnnotation] ?? "an image without a name"}${platform}`;
  });
  return names.length === 0 ? "nothing" : names.join(", ");
}

function platformText(platform: Platform): string {
  const variant = platform.variant === undefined ? "" : `/${platform.variant}`;
  return `${platform.os}/${platform.architecture}${variant}`;
}
