import { open } from "node:fs/promises";
import { archivePath } from "../archive/names.ts";
import { parseImageConfig } from "../archive/oci/parse.ts";
import { mediaTypes } from "../archive/oci/types.ts";
import { indexTar, type TarExtent } from "../archive/tarIndex.ts";
import { type Digest, digestOf } from "../util/digest.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { readExtent } from "./fileExtent.ts";
import { noPlatform, shown } from "./followIndex.ts";
import type { Image, ImageQuery } from "./image.ts";
import type { FileExtent, Layer } from "./layer.ts";
import { plainArchive } from "./plainArchive.ts";
import { platformRank } from "./platform.ts";
import { verifiedTar } from "./verifiedStream.ts";

/** Documents are small; a larger one is an attack or a mistake. */
const maxDocumentBytes = 8 * 2 ** 20;

/**
 * Opens an image in an archive as `docker save` writes it: `manifest.json`, configurations and layers in a tar file. Layers
 * stay where they are in it, compressed or not; a file that is compressed as a whole is unpacked to one below the cache, until
 * the image is closed. The form has no manifest of the image: a layer is named by its content alone.
 *
 * @throws SpacktainersError NOT_FOUND (no such image, or none for the platform), USAGE (several), ARCHIVE_INVALID,
 *   ARCHIVE_UNSAFE (malformed)
 */
export async function openDockerArchive(
  archive: string,
  { platforms, reference }: ImageQuery,
): Promise<Image> {
  const place = { file: archive };
  const { path, close } = await plainArchive(archive);
  try {
    const file = await open(path, "r");
    const members = await indexTar(file, place).finally(() => file.close());
    const document = async (name: string): Promise<Buffer> => {
      const extent = members.get(name);
      if (extent === undefined)
        throw new SpacktainersError(
          "ARCHIVE_INVALID",
          `this is not a Docker archive: it has no ${shown(name)}`,
          {
            place,
          },
        );
      return readDocument({ path, ...extent }, place);
    };
    const wanted = chooseImage(await document("manifest.json"), reference, place);
    const bytes = await document(wanted.config);
    const value = parseImageConfig(bytes, place);
    if (platformRank(platforms)(value) === undefined) throw noPlatform(platforms, [value], place);
    const layers = layersOf(wanted.layers, value.rootfs.diff_ids, { path, members, place });
    const descriptor = { mediaType: mediaTypes.config, digest: digestOf(bytes), size: bytes.length };
    return {
      place,
      origin: { bootstrap: "docker-archive", from: descriptor.digest },
      reference: undefined,
      manifest: undefined,
      hasOwnScripts: false,
      apptainerPath: undefined,
      config: () => Promise.resolve({ value, bytes, descriptor }),
      layers: () => Promise.resolve(layers),
      contentDigest: () => Promise.resolve(layers.length === 0 ? undefined : descriptor.digest),
      close,
    };
  } catch (error) {
    await close();
    throw asSpacktainersError(error, place);
  }
}

/** Where the layers are. */
interface DockerArchive {
  readonly path: string;
  readonly members: ReadonlyMap<string, TarExtent>;
  readonly place: Place;
}

function layersOf(
  names: readonly string[],
  diffIds: readonly Digest[],
  { path, members, place }: DockerArchive,
): readonly Layer[] {
  if (diffIds.length !== names.length)
    throw malformed(`it names ${names.length} layers, its configuration ${diffIds.length}`, place);
  return names.map((name, index): Layer => {
    const found = members.get(name);
    const diffId = diffIds[index];
    if (found === undefined || diffId === undefined) throw malformed("a layer is missing", place);
    const extent: FileExtent = { path, ...found };
    const layerPlace = { file: `${place.file} (layer ${diffId})` };
    return {
      place: layerPlace,
      digest: undefined,
      size: extent.size,
      diffId,
      blob: () => readExtent(extent),
      tar: (onStored) =>
        verifiedTar(readExtent(extent), { digest: undefined, diffId }, layerPlace, { onStored }),
    };
  });
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
  const names = items.slice(0, 20).map(({ tags }) => shown(tags.join(" ") || "an image without a name"));
  const hint = `it has: ${names.join(", ") || "nothing"}`;
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

async function readDocument(extent: FileExtent, place: Place): Promise<Buffer> {
  if (extent.size > maxDocumentBytes) throw malformed("a document is too large", place);
  const pieces: Buffer[] = [];
  for await (const piece of readExtent(extent)) pieces.push(piece);
  return Buffer.concat(pieces);
}

function malformed(what: string, place: Place): SpacktainersError {
  return new SpacktainersError("ARCHIVE_INVALID", `the Docker archive is malformed: ${what}`, { place });
}
