import { open } from "node:fs/promises";
import type { EntryStream } from "../archive/entry.ts";
import { parentDirectory } from "../archive/writeFragment.ts";
import { writeTar } from "../archive/writeTar.ts";
import { hexOfDigest } from "../util/digest.ts";
import { blobEntry, bytesEntry, dockerArchiveEntries } from "./dockerArchive.ts";
import type { OciImage } from "./image.ts";
import { type ImageNaming, layoutDocuments } from "./layoutDocuments.ts";
import { firstTarFile, type OutputOptions, replaceFile } from "./outputTarget.ts";
import { isOurIndex } from "./writeOciLayout.ts";

/**
 * Writes an OCI layout as one tar file.
 * @param images one a platform
 * @throws SpacktainersError OUTPUT_EXISTS when a file we did not make is there; DISK_FULL and other errors of the system
 */
export async function writeOciArchive(
  path: string,
  images: readonly OciImage[],
  options: OutputOptions & ImageNaming = {},
): Promise<void> {
  const { marker, index, blobs } = await layoutDocuments(images, options);
  async function* entries(): EntryStream {
    // The index first: it tells whose file this is without reading far.
    yield bytesEntry("index.json", index);
    yield bytesEntry("oci-layout", marker);
    yield parentDirectory("blobs");
    yield parentDirectory("blobs/sha256");
    for (const blob of blobs) {
      const name = `blobs/sha256/${hexOfDigest(blob.digest)}`;
      yield "bytes" in blob.from ? bytesEntry(name, blob.from.bytes) : blobEntry(name, blob.from.layer);
    }
  }
  await replaceFile(path, options, isOurOciArchive, (temporary) =>
    writeTarFile(temporary, entries(), options),
  );
}

/**
 * Writes an image in the format of `docker save`: see {@link dockerArchiveEntries}.
 *
 * @param options `reference`: `name:tag`, under which it will be known after loading
 * @throws SpacktainersError OUTPUT_EXISTS when a file we did not make is there; DISK_FULL and other errors of the system
 */
export async function writeDockerArchive(
  path: string,
  image: OciImage,
  options: OutputOptions & ImageNaming = {},
): Promise<void> {
  await replaceFile(path, options, isOurDockerArchive, (temporary) =>
    writeTarFile(temporary, dockerArchiveEntries(image, options.reference), options),
  );
}

async function writeTarFile(path: string, entries: EntryStream, options: OutputOptions): Promise<void> {
  const file = await open(path, "wx", 0o644);
  try {
    for await (const chunk of writeTar(entries, { trailer: true })) {
      for (let at = 0; at < chunk.length; )
        at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
      options.onBytes?.(chunk.length);
    }
  } finally {
    await file.close();
  }
}

async function isOurOciArchive(path: string): Promise<boolean> {
  const first = await firstTarFile(path);
  return first?.entry.path === "index.json" && isOurIndex(first.content);
}

async function isOurDockerArchive(path: string): Promise<boolean> {
  const first = await firstTarFile(path);
  return first?.entry.path === "manifest.json" && first.content.includes('"MadeBy":"spacktainers"');
}
