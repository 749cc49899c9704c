import { open } from "node:fs/promises";
import { type Digest, digestOf } from "../../util/digest.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../../util/errors.ts";
import { isJsonObject } from "../../util/json.ts";
import { archivePath } from "../names.ts";
import { indexTar, type TarExtent } from "../tarIndex.ts";
import { parseImageConfig } from "./parse.ts";
import { readBlobFile } from "./readOciLayout.ts";
import type { ImageConfig } from "./types.ts";

/** Documents are small; a larger one is an attack or a mistake. */
const maxDocumentBytes = 8 * 2 ** 20;

/** A layer in a Docker archive: a part of the file. */
export interface DockerArchiveLayer {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  /** Of the uncompressed tar; the layer itself may be compressed. */
  readonly diffId: Digest;
}

/** An image in a Docker archive. */
export interface DockerArchiveImage {
  readonly config: ImageConfig;
  readonly configBytes: Buffer;
  /** Of the configuration, which names the image. */
  readonly configDigest: Digest;
  /** From bottom to top. */
  readonly layers: readonly DockerArchiveLayer[];
}

/**
 * Finds an image in an archive as `docker save` writes it: `manifest.json`, configurations and layers in an uncompressed
 * tar file. Digests of layers are left to whoever reads them.
 *
 * @param tag `name:tag` of the image; when absent the archive must hold only one
 * @throws {SpacktainersError} `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE` (malformed), `NOT_FOUND` (no such image), `USAGE` (several)
 */
export async function readDockerArchive(path: string, tag: string | undefined): Promise<DockerArchiveImage> {
  const place = { file: path };
  try {
    const file = await open(path, "r");
    const members = await indexTar(file, place).finally(() => file.close());
    const document = async (name: string): Promise<Buffer> => {
      const extent = members.get(name);
      if (extent === undefined)
        throw new SpacktainersError("ARCHIVE_INVALID", `this is no Docker archive: it has no ${name}`, {
          place,
        });
      return readDocument(path, extent, place);
    };
    const wanted = chooseImage(await document("manifest.json"), tag, place);
    const configBytes = await document(wanted.config);
    const config = parseImageConfig(configBytes, place);
    const diffIds = config.rootfs.diff_ids;
    if (diffIds.length !== wanted.layers.length)
      throw malformed(`it names ${wanted.layers.length} layers, its configuration ${diffIds.length}`, place);
    const layers = wanted.layers.map((name, index): DockerArchiveLayer => {
      const extent = members.get(name);
      const diffId = diffIds[index];
      if (extent === undefined || diffId === undefined) throw malformed("a layer is missing", place);
      return { path, ...extent, diffId };
    });
    return { config, configBytes, configDigest: digestOf(configBytes), layers };
  } catch (error) {
    throw asSpacktainersError(error, place);
  }
}

interface ManifestItem {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

function chooseImage(bytes: Buffer, tag: string | undefined, place: Place): ManifestItem {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new SpacktainersError("ARCHIVE_INVALID", "manifest.json is not JSON", { place, cause });
  }
  if (!Array.isArray(json) || json.length > 10_000)
    throw malformed("manifest.json is not a list of images", place);
  const items = (json as readonly unknown[]).map((item) => manifestItem(item, place));
  const wanted = tag === undefined ? undefined : tag.includes(":") ? tag : `${tag}:latest`;
  const [chosen, other] = items.filter(({ tags }) => wanted === undefined || tags.includes(wanted));
  const hint = `it has: ${items.map(({ tags }) => tags.join(" ") || "an image without a name").join(", ") || "nothing"}`;
  if (chosen === undefined)
    throw new SpacktainersError("NOT_FOUND", `the archive has no image ${wanted ?? ""}`.trimEnd(), {
      place,
      hint,
    });
  if (other !== undefined)
    throw new SpacktainersError("USAGE", "the archive has several images", {
      place,
      hint: `say which one; ${hint}`,
    });
  return chosen;
}

function manifestItem(item: unknown, place: Place): ManifestItem {
  if (!isJsonObject(item) || typeof item.Config !== "string")
    throw malformed("an image has no Config", place);
  return {
    config: archivePath(item.Config, "relative"),
    tags: texts(item.RepoTags ?? [], place),
    layers: texts(item.Layers, place).map((name) => archivePath(name, "relative")),
  };
}

function texts(value: unknown, place: Place): readonly string[] {
  if (!Array.isArray(value) || value.length > 10_000) throw malformed("a list is missing", place);
  const list = (value as readonly unknown[]).filter((item) => typeof item === "string");
  if (list.length !== value.length) throw malformed("a list has something that is not text", place);
  return list;
}

async function readDocument(path: string, extent: TarExtent, place: Place): Promise<Buffer> {
  if (extent.size > maxDocumentBytes) throw malformed("a document is too large", place);
  const pieces: Buffer[] = [];
  for await (const piece of readBlobFile({ path, ...extent })) pieces.push(piece);
  return Buffer.concat(pieces);
}

function malformed(what: string, place: Place): SpacktainersError {
  return new SpacktainersError("ARCHIVE_INVALID", `the Docker archive is malformed: ${what}`, { place });
}
