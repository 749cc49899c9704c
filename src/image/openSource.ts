/** Images that are on this machine, opened to be converted. */
import { createReadStream } from "node:fs";
import { mkdir, open, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { compressionOf, decompressStream } from "../archive/decompress.ts";
import { readDockerArchive } from "../archive/oci/readDockerArchive.ts";
import {
  type LayoutImage,
  type LayoutLayer,
  readBlobFile,
  readOciArchive,
  readOciLayout,
} from "../archive/oci/readOciLayout.ts";
import { sweepTemporaries, temporaryPath } from "../util/atomicFile.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { Image } from "./image.ts";
import type { OpenImage, SourceImage, SourceLayer } from "./imageContents.ts";

/** Kinds of images that {@link openSource} opens. */
export const sourceKinds = ["oci", "oci-archive", "docker-archive"] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** An image on this machine. */
export interface ImageSource {
  readonly kind: SourceKind;
  /** Absolute. */
  readonly path: string;
  /** Which image of those that are there. */
  readonly reference?: string;
}

/**
 * Reads `oci:DIR[:REF]`, `oci-archive:FILE[:REF]` and `docker-archive:FILE[:NAME:TAG]`. A reference begins at the first
 * colon after the path.
 *
 * @param directory what a relative path starts from
 * @returns undefined when the text begins with none of the kinds
 * @throws {SpacktainersError} `USAGE` when there is no path
 */
export function parseSource(text: string, directory: string): ImageSource | undefined {
  const colon = text.indexOf(":");
  const kind = sourceKinds.find((known) => known === text.slice(0, colon));
  if (kind === undefined) return undefined;
  const rest = text.slice(colon + 1);
  const end = rest.indexOf(":");
  const path = end < 0 ? rest : rest.slice(0, end);
  const reference = end < 0 ? "" : rest.slice(end + 1);
  if (path === "") throw new SpacktainersError("USAGE", `${text} names no path`);
  return { kind, path: resolve(directory, path), ...(reference === "" ? {} : { reference }) };
}

/**
 * Opens an image. Layers stay where they are; an archive that is compressed as a whole is unpacked to one file below the
 * cache, until it is closed.
 *
 * @param architecture which one of an image for several
 * @throws {SpacktainersError} `NOT_FOUND`, `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE`, `CHECKSUM_MISMATCH`, `NOT_SUPPORTED`, `USAGE`
 */
export async function openSource(source: ImageSource, architecture: string): Promise<OpenImage> {
  const { kind, reference } = source;
  const query = {
    platform: { os: "linux", architecture },
    // They are compared when they are read.
    verifyLayers: false,
    ...(reference === undefined ? {} : { reference }),
  };
  if (kind === "oci") return layoutContents(await readOciLayout(source.path, query), async () => {});
  const { path, close } = await plainArchive(source.path);
  try {
    if (kind === "oci-archive") return layoutContents(await readOciArchive(path, query), close);
    const image = await readDockerArchive(path, reference);
    if (image.config.architecture !== architecture)
      throw new SpacktainersError(
        "NOT_FOUND",
        `the image is for ${image.config.architecture}, not for ${architecture}`,
        { place: { file: source.path }, hint: "choose with --arch" },
      );
    return {
      config: image.config,
      configBytes: image.configBytes,
      layers: image.layers.map(
        (layer): SourceLayer => ({
          name: `${source.path} (layer ${layer.diffId})`,
          size: layer.size,
          diffId: layer.diffId,
          open: () => readBlobFile(layer),
        }),
      ),
      origin: { bootstrap: kind, from: image.configDigest },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** An image of a layout, with its layers where they are. The same image gives the same SIF, in a directory or an archive. */
function layoutContents(image: LayoutImage, close: () => Promise<void>): OpenImage {
  return {
    config: image.config,
    configBytes: image.configBytes,
    layers: image.layers.map(fileLayer),
    origin: { bootstrap: "oci", from: image.manifestDigest },
    close,
  };
}

/** An image that was just made, or whose layers are files for another reason. */
export function imageContents(image: Image): SourceImage {
  return {
    config: image.config.value,
    configBytes: image.config.bytes,
    layers: image.layers.map(fileLayer),
    origin: { bootstrap: "oci", from: image.manifest.descriptor.digest },
  };
}

/** A layer that is a file, or a part of one. */
function fileLayer(layer: Pick<LayoutLayer, "path" | "offset" | "digest" | "size" | "diffId">): SourceLayer {
  return {
    name: layer.offset === undefined ? layer.path : `${layer.path} (layer ${layer.digest})`,
    ...(layer.offset === undefined ? { path: layer.path } : {}),
    size: layer.size,
    digest: layer.digest,
    diffId: layer.diffId,
    open: () => readBlobFile(layer),
  };
}

/** The archive itself, or where it is compressed an unpacked copy. */
async function plainArchive(path: string): Promise<{ readonly path: string; close(): Promise<void> }> {
  const place = { file: path };
  let temporary: string | undefined;
  const close = async (): Promise<void> => {
    if (temporary !== undefined) await rm(temporary, { force: true });
  };
  try {
    const file = await open(path, "r");
    const head = Buffer.alloc(18);
    const { bytesRead } = await file.read(head, 0, head.length, 0).finally(() => file.close());
    if (compressionOf(head.subarray(0, bytesRead)) === "none") return { path, close };
    const folder = join(cacheHome(), "archives");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await sweepTemporaries(folder);
    temporary = temporaryPath(folder);
    await writeFile(
      temporary,
      decompressStream(createReadStream(path, { highWaterMark: 2 ** 20 }), { where: place }),
      {
        flag: "wx",
        mode: 0o600,
      },
    );
    return { path: temporary, close };
  } catch (error) {
    await close();
    throw asSpacktainersError(error, place);
  }
}
