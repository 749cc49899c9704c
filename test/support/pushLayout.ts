import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Descriptor, ImageIndex, ImageManifest } from "../../src/archive/oci/types.ts";
import { layoutBlobPath } from "../../src/image/layoutFiles.ts";
import { fileBlob } from "../../src/registry/blobSource.ts";
import { putManifest } from "../../src/registry/manifests.ts";
import { type BlobOutcome, type PushBlobsOptions, pushBlobs } from "../../src/registry/pushBlob.ts";
import { parseTag } from "../../src/registry/reference.ts";
import type { ImageRepository } from "../../src/registry/registry.ts";
import type { Digest } from "../../src/util/digest.ts";

/** Pushes the one image of an OCI layout directory under a tag. */
export async function pushLayout(
  repository: ImageRepository,
  layout: string,
  tag: string,
  options: PushBlobsOptions = {},
): Promise<{ readonly manifest: Descriptor; readonly outcomes: ReadonlyMap<Digest, BlobOutcome> }> {
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as ImageIndex;
  const [descriptor] = index.manifests;
  if (descriptor === undefined) throw new Error("the layout is empty");
  const bytes = readFileSync(layoutBlobPath(layout, descriptor.digest));
  const manifest = JSON.parse(bytes.toString("utf8")) as ImageManifest;
  const blobs = [...manifest.layers, manifest.config].map((blob) =>
    fileBlob(layoutBlobPath(layout, blob.digest), { digest: blob.digest, size: blob.size }),
  );
  const outcomes = await pushBlobs(repository, blobs, options);
  await putManifest(repository, parseTag(tag), bytes, descriptor.mediaType);
  return { manifest: descriptor, outcomes };
}
