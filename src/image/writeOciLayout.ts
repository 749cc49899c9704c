import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { sweepTemporaries, writeFileAtomically } from "../util/atomicFile.ts";
import { hexOfDigest } from "../util/digest.ts";
import { asSpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { withTargetLock } from "../util/targetLock.ts";
import { madeByAnnotation } from "./annotations.ts";
import type { OciImage } from "./image.ts";
import { type ImageNaming, type LayoutDocuments, layoutDocuments } from "./layoutDocuments.ts";
import { layoutBlobPath } from "./layoutFiles.ts";
import { mayReplaceDirectory, type OutputOptions, replaceDirectory } from "./outputTarget.ts";
import { placeBlob } from "./placeBlob.ts";

/**
 * Writes an OCI image layout directory (OCI image specification, "Image Layout").
 *
 * A new directory appears whole or not at all. In an earlier layout of spacktainers, the blobs that are already there are kept,
 * the index is replaced when all blobs are in place, and then what it no longer names is removed: at any moment the
 * directory is a valid layout.
 *
 * @param images one a platform
 * @throws SpacktainersError OUTPUT_EXISTS when something else is there; LOCK_BUSY; DISK_FULL and other errors of the system
 */
export async function writeOciLayout(
  directory: string,
  images: readonly OciImage[],
  options: OutputOptions & ImageNaming = {},
): Promise<void> {
  const target = resolve(directory);
  const documents = await layoutDocuments(images, options);
  const fill = (into: string): Promise<void> => writeDocuments(into, documents, options);
  try {
    await withTargetLock(target, async () => {
      if (!(await mayReplaceDirectory(target, options, isOurLayout)) || !(await isOurLayout(target))) {
        await replaceDirectory(target, options, isOurLayout, fill);
        return;
      }
      await fill(target);
      await removeOthers(target, documents);
    });
  } catch (error) {
    throw asSpacktainersError(error, { file: target });
  }
}

async function writeDocuments(
  directory: string,
  documents: LayoutDocuments,
  options: OutputOptions,
): Promise<void> {
  const blobs = join(directory, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  await sweepTemporaries(blobs);
  for (const blob of documents.blobs) {
    const written = await placeBlob(blob, layoutBlobPath(directory, blob.digest));
    options.onBytes?.(written);
  }
  await writeFileAtomically(join(directory, "oci-layout"), documents.marker);
  await writeFileAtomically(join(directory, "index.json"), documents.index);
}

async function removeOthers(directory: string, documents: LayoutDocuments): Promise<void> {
  const wanted = new Set(documents.blobs.map((blob) => hexOfDigest(blob.digest)));
  const blobs = join(directory, "blobs", "sha256");
  for (const name of await readdir(blobs)) {
    // Temporary files of another run that works here now must not be removed.
    if (/^[0-9a-f]{64}$/.test(name) && !wanted.has(name)) await rm(join(blobs, name), { force: true });
  }
}

/** An earlier layout of spacktainers says so in its index. */
async function isOurLayout(directory: string): Promise<boolean> {
  const text = await readFile(join(directory, "index.json"), "utf8").catch(() => "");
  return isOurIndex(text);
}

/** True for the text of an `index.json` that this program wrote. */
export function isOurIndex(text: string): boolean {
  try {
    const json: unknown = JSON.parse(text);
    return (
      isJsonObject(json) &&
      isJsonObject(json.annotations) &&
      typeof json.annotations[madeByAnnotation] === "string"
    );
  } catch {
    return false;
  }
}
