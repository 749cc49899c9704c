/** Images in layouts and archives on this machine, by what a command line says. */
import { resolve } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import type { Image, ImageQuery } from "./image.ts";
import { openDockerArchive } from "./openDockerArchive.ts";
import { openLayout } from "./openLayout.ts";
import { openOciArchive } from "./openOciArchive.ts";

/** Kinds of images that {@link openSource} opens. */
export const sourceKinds = ["oci", "oci-archive", "docker-archive"] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** An image on this machine. */
export interface ImageSource {
  readonly kind: SourceKind;
  /** Absolute. */
  readonly path: string;
  /** Which image of those that are there. */
  readonly reference: string | undefined;
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
  return { kind, path: resolve(directory, path), reference: reference === "" ? undefined : reference };
}

/**
 * Opens an image. Layers stay where they are; an archive that is compressed as a whole is unpacked to one file below the
 * cache, until the image is closed.
 *
 * @param platforms in order of preference
 * @throws {SpacktainersError} as `openLayout`, `openOciArchive` and `openDockerArchive`
 */
export async function openSource(
  { kind, path, reference }: ImageSource,
  platforms: ImageQuery["platforms"],
): Promise<Image> {
  const query = { platforms, reference };
  if (kind === "oci") return openLayout(path, query);
  return kind === "oci-archive" ? openOciArchive(path, query) : openDockerArchive(path, query);
}
