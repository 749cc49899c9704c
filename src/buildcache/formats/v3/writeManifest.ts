/** Manifests and blobs of layout v3 as Spack writes them. */
import type { Content, Store } from "../../../store/store.ts";
import { hexOfDigest } from "../../../util/digest.ts";
import { linedJson } from "../../../util/jsonText.ts";
import { writerOf } from "../storedFiles.ts";
import { type ManifestRecord, parseCacheManifest } from "./manifest.ts";
import { blobPath, v3FixedPaths } from "./paths.ts";

/** What is in `layout.json`. */
const layoutText = '{"signing": "gpg"}';

/** A blob that was there for longer is put again, so that whoever clears the cache up sees that somebody needs it; milliseconds. */
const freshMs = 3_600_000;

/** The text of a manifest. */
export function manifestText(records: readonly ManifestRecord[]): string {
  const data = records.map(({ digest, size, mediaType, compression }) => ({
    contentLength: size,
    mediaType,
    compression,
    checksumAlgorithm: "sha256",
    checksum: hexOfDigest(digest),
  }));
  return linedJson(JSON.stringify({ version: 3, data }));
}

/** Says that there is a cache in this layout, where nothing says so yet. */
export async function announceLayout(store: Store): Promise<void> {
  const { status } = await store.get(v3FixedPaths.layout, { maxBytes: 65_536 });
  if (status === "missing")
    await writerOf(store).put(v3FixedPaths.layout, Buffer.from(layoutText), { condition: "absent" });
}

/** Puts a blob that is not there, or has been there for long. */
export async function putBlob(
  store: Store,
  { digest, size }: Pick<ManifestRecord, "digest" | "size">,
  content: Content,
  now: number,
  onBytes?: (bytes: number) => void,
): Promise<void> {
  const facts = await store.stat(blobPath(digest));
  const fresh = facts?.modified !== undefined && Math.abs(now - facts.modified) < freshMs;
  if (facts?.size === size && fresh) onBytes?.(size);
  else await writerOf(store).put(blobPath(digest), content, { onBytes });
}

/** The blobs that a manifest names, whoever wrote it; none where it cannot be read. */
export function namedBlobs(manifest: string): readonly ManifestRecord[] {
  try {
    return parseCacheManifest(manifest, {});
  } catch {
    return [];
  }
}
