/** Finds the image for a platform in an index: in layouts, archives and registries alike. */
import { parseImageConfig, parseImageManifest, parseIndex } from "../archive/oci/parse.ts";
import {
  type Descriptor,
  isConfigType,
  isIndexType,
  isManifestType,
  type Platform,
} from "../archive/oci/types.ts";
import type { Digest } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";
import { platformRank, platformText } from "./platform.ts";

/** Indexes in indexes. */
const maxDepth = 4;
/** Documents read to find an image: indexes, and images whose configuration has to be read to know their platform. */
const maxDocuments = 200;

/** How to read the documents that an index names. */
export interface DocumentReader {
  /** A document, compared with digest and size. */
  read(descriptor: Descriptor): Promise<Buffer>;
  /** Where a document is, for errors. */
  placeOf(descriptor: Descriptor): Place;
}

/** An image that was found, and how well it fits. */
interface Candidate {
  readonly descriptor: Descriptor;
  readonly rank: number;
}

/**
 * Finds the manifest for a platform among the entries of an index, indexes in it followed. An entry without a platform is the
 * image when there is no other; else its configuration is read. Of those that fit equally well in an index the first counts,
 * as the specification says.
 *
 * @param entries of an index, or the one document to begin with
 * @param platforms in order of preference
 * @param place of the index, for errors
 * @returns the manifests that fit best, each once: several only when several of `entries` are, or lead to, such
 * @throws SpacktainersError NOT_FOUND when there is none for the platform; NOT_SUPPORTED when nothing is an image's manifest;
 *   ARCHIVE_INVALID for indexes that are malformed, nested too deeply or too many; what reading throws
 */
export async function followIndex(
  entries: readonly Descriptor[],
  platforms: readonly Platform[],
  reader: DocumentReader,
  place: Place,
): Promise<readonly [Descriptor, ...Descriptor[]]> {
  const rankOf = platformRank(platforms);
  const indexes = new Map<Digest, Promise<Candidate | undefined>>();
  const offered: Platform[] = [];
  const foreign: string[] = [];
  let documents = 0;

  async function read(descriptor: Descriptor): Promise<Buffer> {
    if (++documents > maxDocuments)
      throw new SpacktainersError(
        "ARCHIVE_INVALID",
        `more than ${maxDocuments} documents would have to be read to find the image`,
        { place },
      );
    return reader.read(descriptor);
  }

  function ranked(descriptor: Descriptor, platform: Platform): Candidate | undefined {
    offered.push(platform);
    const rank = rankOf(platform);
    return rank === undefined ? undefined : { descriptor, rank };
  }

  async function inIndex(
    descriptor: Descriptor,
    depth: number,
    isOnly: boolean,
  ): Promise<Candidate | undefined> {
    if (descriptor.platform !== undefined && ranked(descriptor, descriptor.platform) === undefined)
      return undefined;
    if (depth >= maxDepth)
      throw new SpacktainersError("ARCHIVE_INVALID", "the image's indexes are nested too deeply", {
        place: reader.placeOf(descriptor),
      });
    const known = indexes.get(descriptor.digest);
    if (known !== undefined) return known;
    const found = read(descriptor).then(async (bytes) => {
      const { manifests } = parseIndex(bytes, reader.placeOf(descriptor));
      return firstOfBest(await candidates(manifests, depth + 1, isOnly));
    });
    indexes.set(descriptor.digest, found);
    return found;
  }

  async function byConfiguration(descriptor: Descriptor): Promise<Candidate | undefined> {
    const manifest = parseImageManifest(await read(descriptor), reader.placeOf(descriptor));
    if (!isConfigType(manifest.config.mediaType)) {
      foreign.push(manifest.config.mediaType);
      return undefined;
    }
    const config = parseImageConfig(await read(manifest.config), reader.placeOf(manifest.config));
    return ranked(descriptor, config);
  }

  async function candidates(
    list: readonly Descriptor[],
    depth: number,
    wasOnly: boolean,
  ): Promise<Candidate[]> {
    const isOnly = wasOnly && list.length === 1;
    const found: Candidate[] = [];
    for (const descriptor of list) {
      const { mediaType, platform } = descriptor;
      let candidate: Candidate | undefined;
      if (isIndexType(mediaType)) candidate = await inIndex(descriptor, depth, isOnly);
      else if (!isManifestType(mediaType)) foreign.push(mediaType);
      else if (platform !== undefined) candidate = ranked(descriptor, platform);
      // Its platform is compared when the configuration is read.
      else if (isOnly) candidate = { descriptor, rank: 0 };
      // What says that it is something else is no image.
      else if (descriptor.artifactType === undefined) candidate = await byConfiguration(descriptor);
      if (candidate !== undefined) found.push(candidate);
    }
    return found;
  }

  const found = await candidates(entries, 0, true);
  const best = firstOfBest(found);
  if (best === undefined) {
    const [type] = foreign;
    if (offered.length === 0 && type !== undefined)
      throw notAnImage(`manifests of the type ${shown(type)}`, place);
    throw noPlatform(platforms, offered, place);
  }
  const others = found.filter(({ rank }) => rank === best.rank).map(({ descriptor }) => descriptor);
  const [, ...more] = [...new Map(others.map((one) => [one.digest, one])).values()];
  return [best.descriptor, ...more];
}

function firstOfBest(candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.reduce<Candidate | undefined>(
    (best, one) => (best === undefined || one.rank < best.rank ? one : best),
    undefined,
  );
}

/** The error for an image that is there, but not for any platform wanted. */
export function noPlatform(
  wanted: readonly Platform[],
  offered: readonly Platform[],
  place: Place,
): SpacktainersError {
  // Attestations are entries for `unknown/unknown`.
  const known = offered.filter(({ os }) => os !== "unknown");
  const names = [...new Set(known.map((platform) => shown(platformText(platform))))].slice(0, 20);
  const texts = wanted.map(platformText);
  return new SpacktainersError("NOT_FOUND", `there is no image for ${texts.join(" or ")}`, {
    place,
    hint: names.length === 0 ? "its index names no images" : `it is there for ${names.join(", ")}`,
  });
}

/** The error for something else in the place of an image. */
export function notAnImage(what: string, place: Place): SpacktainersError {
  return new SpacktainersError("NOT_SUPPORTED", `${what} are not supported`, { place });
}

/** Text of a stranger in a message. */
export function shown(text: string): string {
  return escapeControlsInLine(text.slice(0, 100));
}
