import { join } from "node:path";
import { parseIndex } from "../archive/oci/parse.ts";
import { type Descriptor, isIndexType, referenceAnnotation } from "../archive/oci/types.ts";
import { digestOf, parseDigest } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { descriptionAnnotation } from "./annotations.ts";
import { fileLayer } from "./fileLayer.ts";
import { type DocumentReader, followIndex, shown } from "./followIndex.ts";
import type { AttachedDocument, ImageQuery, OciImage } from "./image.ts";
import type { LayerDescriptor, OciLayer } from "./layer.ts";
import { blobName, directoryFiles, type LayoutFiles } from "./layoutFiles.ts";
import { ociImage } from "./ociImage.ts";
import { platformText } from "./platform.ts";

/** Documents are small; a larger one is an attack or a mistake. */
const maxDocumentBytes = 8 * 2 ** 20;
/** A layout of spacktainers has one document of facts for each image in it. */
const maxFacts = 100;

/**
 * Opens an image in an OCI image layout directory (OCI image specification, "Image Layout"). What is read is the index and the
 * manifest; layers stay where they are.
 *
 * @throws SpacktainersError NOT_FOUND (no layout, no such image, a missing blob), USAGE (several images fit), ARCHIVE_INVALID
 *   (malformed), CHECKSUM_MISMATCH, NOT_SUPPORTED (what is no image)
 */
export function openLayout(directory: string, query: ImageQuery): Promise<OciImage> {
  return openLayoutFiles(directoryFiles(directory), query, async () => {});
}

/**
 * As {@link openLayout}, wherever the layout's files are.
 * @param close of the image: releases the files
 */
export async function openLayoutFiles(
  files: LayoutFiles,
  { platforms, reference }: ImageQuery,
  close: () => Promise<void>,
): Promise<OciImage> {
  const place = { file: files.root };
  await expectLayout(files, place);
  const indexPlace = { file: join(files.root, "index.json") };
  const index = parseIndex(await files.read("index.json", maxDocumentBytes), indexPlace);
  const named = index.manifests.filter(
    ({ annotations }) => reference === undefined || annotations?.[referenceAnnotation] === reference,
  );
  if (named.length === 0)
    throw new SpacktainersError("NOT_FOUND", `the layout has no image ${reference ?? ""}`.trimEnd(), {
      place,
      hint: `it has: ${namesIn(index.manifests)}`,
    });
  const reader: DocumentReader = {
    read: (descriptor) => readDocument(files, descriptor),
    placeOf: ({ digest }) => ({ file: join(files.root, blobName(digest)) }),
  };
  const [chosen, ...others] = await followIndex(named, platforms, reader, place);
  if (others.length > 0)
    throw new SpacktainersError(
      "USAGE",
      `the layout has ${others.length + 1} images for ${platforms.map(platformText).join(" or ")}`,
      { place, hint: `say which one; it has: ${namesIn(index.manifests)}` },
    );
  const { mediaType, digest, size } = chosen;
  return ociImage({
    place,
    origin: { bootstrap: "oci", from: digest },
    reference: undefined,
    manifest: { bytes: await reader.read(chosen), descriptor: { mediaType, digest, size } },
    platforms,
    readConfig: (descriptor) => reader.read(descriptor),
    layer: (facts) => layerIn(files, facts),
    attachedDocuments: (maxBytes) => factsIn(files, index.annotations?.[descriptionAnnotation], maxBytes),
    close,
  });
}

async function expectLayout(files: LayoutFiles, place: Place): Promise<void> {
  const marker = await files.read("oci-layout", 4096).catch((cause: unknown) => {
    throw new SpacktainersError("NOT_FOUND", "this is not an OCI image layout: it has no file oci-layout", {
      place,
      cause,
    });
  });
  let version: unknown;
  try {
    const json: unknown = JSON.parse(marker.toString("utf8"));
    version = isJsonObject(json) ? json.imageLayoutVersion : undefined;
  } catch {
    version = undefined;
  }
  if (typeof version !== "string" || !/^1\.\d{1,6}\.\d{1,6}$/.test(version))
    throw new SpacktainersError("ARCHIVE_INVALID", "the file oci-layout does not name a known version", {
      place,
    });
}

async function readDocument(files: LayoutFiles, { digest, size }: Descriptor): Promise<Buffer> {
  const name = blobName(digest);
  const place = { file: join(files.root, name) };
  if (size > maxDocumentBytes)
    throw new SpacktainersError("ARCHIVE_INVALID", "a document of the image is too large", { place });
  const bytes = await files.read(name, maxDocumentBytes);
  if (bytes.length !== size || digestOf(bytes) !== digest) throw damaged(place);
  return bytes;
}

async function layerIn(files: LayoutFiles, facts: LayerDescriptor): Promise<OciLayer> {
  const name = blobName(facts.digest);
  const place = { file: join(files.root, name) };
  const extent = await files.find(name);
  if (extent === undefined) throw new SpacktainersError("NOT_FOUND", "no such file", { place });
  if (extent.size !== facts.size) throw damaged(place);
  return fileLayer(facts, extent, { place });
}

async function factsIn(
  files: LayoutFiles,
  annotation: string | undefined,
  maxBytes: number,
): Promise<readonly AttachedDocument[]> {
  const found: AttachedDocument[] = [];
  for (const word of (annotation ?? "").split(" ").slice(0, maxFacts)) {
    const digest = parseDigest(word);
    if (digest === undefined) continue;
    const place = { file: join(files.root, blobName(digest)) };
    const bytes = await files.read(blobName(digest), maxBytes).catch(() => undefined);
    if (bytes === undefined) continue;
    if (digestOf(bytes) !== digest)
      throw new SpacktainersError(
        "CHECKSUM_MISMATCH",
        "the facts of the image are not those its build left",
        { place, hint: "build the image again" },
      );
    found.push({ bytes, place });
  }
  return found;
}

function damaged(place: Place): SpacktainersError {
  return new SpacktainersError("CHECKSUM_MISMATCH", "a blob of the image is not what its digest says", {
    place,
    hint: "the layout is damaged; make it again",
  });
}

function namesIn(descriptors: readonly Descriptor[]): string {
  const names = descriptors.slice(0, 20).map(({ annotations, mediaType, platform }) => {
    const name = annotations?.[referenceAnnotation];
    const what = isIndexType(mediaType) ? "an index" : "an image";
    const suffix = platform === undefined ? "" : ` (${platformText(platform)})`;
    return shown(`${name ?? `${what} without a name`}${suffix}`);
  });
  return names.length === 0 ? "nothing" : names.join(", ");
}
