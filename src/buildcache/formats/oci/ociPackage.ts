/** How a package is kept in a registry: an image whose last layer is its archive, and whose configuration has its spec file. */
import { parseImageManifest } from "../../../archive/oci/parse.ts";
import type { Descriptor } from "../../../archive/oci/types.ts";
import { isManifestType } from "../../../archive/oci/types.ts";
import { readBlobBytes } from "../../../registry/blobs.ts";
import { getManifest } from "../../../registry/manifests.ts";
import { parseTag, type Tag } from "../../../registry/reference.ts";
import { type DagHash, parseDagHash } from "../../../spec/concrete.ts";
import type { Digest } from "../../../util/digest.ts";
import { type Place, SpacktainersError } from "../../../util/errors.ts";
import { isJsonObject } from "../../../util/json.ts";
import type { PackageId } from "../packageId.ts";
import { decodeUtf8, maxSpecFileBytes, pushAgain } from "../verifiedMetadata.ts";
import type { OciPlace } from "./ociPlace.ts";

/** The tag of the index. */
export const indexTag = "index.spack" as Tag;

/** Tags of packages end so. */
const packageEnd = ".spack";

/** The tag of a package: what tags cannot have becomes `_`, and of a long one the middle is left out, as Spack has it. */
export function packageTag({ name, version, hash }: Pick<PackageId, "name" | "version" | "hash">): Tag {
  const text = `${name}-${version}-${hash}${packageEnd}`.replaceAll(/[^A-Za-z0-9_.-]/g, "_");
  return parseTag(text.length > 128 ? text.slice(0, 64) + text.slice(-64) : text);
}

/** The hash of the package that a tag is of; undefined for tags of other things. */
export function hashOfTag(tag: string): DagHash | undefined {
  return parseDagHash(/-([a-z0-9]{32})\.spack$/.exec(tag)?.[1] ?? "");
}

/** A package as a registry has it. Not verified further than that all is what its digest says. */
export interface OciPackage {
  readonly tag: string;
  /** Of the manifest. */
  readonly digest: Digest;
  /** The configuration: a spec file, and what else images have. */
  readonly specFile: string;
  readonly archive: Descriptor;
}

/**
 * Reads a package; undefined when there is none under the tag.
 *
 * @throws CACHE_INVALID, NOT_SUPPORTED when what is there is no package; CHECKSUM_MISMATCH, NETWORK, ACCESS_DENIED
 */
export async function readOciPackage(
  { repository, url }: OciPlace,
  tag: string,
): Promise<OciPackage | undefined> {
  const place: Place = { url: `${url}:${tag}` };
  const found = await getManifest(repository, parseTag(tag, place));
  if (found === undefined) return undefined;
  const fail = (what: string): never => {
    throw new SpacktainersError("CACHE_INVALID", `the package's image ${what}`, { place, hint: pushAgain });
  };
  if (!isManifestType(found.mediaType)) return fail("is an index of images");
  const { config, layers } = parseImageManifest(found.bytes, place);
  // Its dependencies, and what an image begins with, come before.
  const archive = layers.at(-1);
  if (archive === undefined) return fail("has no layers");
  const bytes = await readBlobBytes(repository, config, maxSpecFileBytes);
  const specFile = decodeUtf8(bytes, place);
  if (archiveDigest(specFile) !== archive.digest) return fail("has another archive than its spec file says");
  return { tag, digest: found.digest, specFile, archive };
}

/** The digest of the archive, as the configuration says. */
function archiveDigest(text: string): string | undefined {
  try {
    const json: unknown = JSON.parse(text);
    const checksum = isJsonObject(json) ? json.binary_cache_checksum : undefined;
    return isJsonObject(checksum) && checksum.hash_algorithm === "sha256"
      ? `sha256:${String(checksum.hash)}`
      : undefined;
  } catch {
    return undefined;
  }
}
