import { resolve } from "node:path";
import { hostArchitecture } from "../definitions/hostArchitecture.ts";
import type { Image } from "../image/image.ts";
import { openSource, parseSource } from "../image/openSource.ts";
import { platformOf } from "../image/platform.ts";
import { openLocalImage } from "../sif/openLocalImage.ts";

/** Which image; everything may be left out. */
export interface OpenImageOptions {
  /** What relative paths start from; default: the folder of the process. */
  readonly directory?: string | undefined;
  /** Default: that of this machine. */
  readonly arch?: "amd64" | "arm64" | undefined;
}

/**
 * Opens an image on this machine; to be closed. Its documents are compared with the digests that name them when they are read, its
 * layers while they are read.
 *
 * @param text `oci:DIR[:REF]`, `oci-archive:FILE[:REF]`, `docker-archive:FILE[:NAME:TAG]`, or the path of a layout, an archive, a SIF or
 *   squashfs file, or a root directory
 * @throws {SpacktainersError} `NOT_FOUND`, `ARCHIVE_INVALID`, `CHECKSUM_MISMATCH`, `NOT_SUPPORTED`
 */
export async function openImage(
  text: string,
  { directory = ".", arch = hostArchitecture() }: OpenImageOptions = {},
): Promise<Image> {
  const source = parseSource(text, resolve(directory));
  const platforms = [platformOf(arch)];
  return source === undefined
    ? openLocalImage(resolve(directory, text), platforms)
    : openSource(source, platforms);
}
