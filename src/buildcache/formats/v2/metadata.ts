/** Package metadata in layout v2: a signed spec file that also names the archive's digest. */

import type { Store } from "../../../store/store.ts";
import { type Digest, parseDigest } from "../../../util/digest.ts";
import { type Place, SpacktainersError } from "../../../util/errors.ts";
import { isJsonObject } from "../../../util/json.ts";
import { believe, type Trust } from "../believe.ts";
import type { DependencyLookup, PackageId } from "../packageId.ts";
import {
  decodeUtf8,
  identifySpec,
  maxSpecFileBytes,
  pushAgain,
  type VerifiedMetadata,
} from "../verifiedMetadata.ts";
import { packagePaths } from "./paths.ts";

/**
 * Fetches and verifies the metadata of a package; undefined when the cache does not have it.
 *
 * @throws SIGNATURE_MISSING, SIGNATURE_INVALID, KEY_UNKNOWN, KEY_INVALID, IDENTITY_MISMATCH, CACHE_INVALID,
 *   NOT_SUPPORTED, and what the store throws
 */
export async function findV2Metadata(
  store: Store,
  trust: Trust,
  asked: PackageId,
  lookup: DependencyLookup,
): Promise<VerifiedMetadata | undefined> {
  for (const paths of packagePaths(asked, lookup)) {
    for (const path of [paths.signed, paths.unsigned]) {
      const found = await readV2Metadata(store, trust, path, asked, paths.archive);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/**
 * The same for a package of which only the path of its metadata and its hash may be known.
 *
 * @param archive where the archive is; default: where the spec file says
 * @throws as {@link findV2Metadata}
 */
export async function readV2Metadata(
  store: Store,
  trust: Trust,
  path: string,
  asked: Pick<PackageId, "hash"> & Partial<Pick<PackageId, "name" | "version">>,
  archive?: string,
): Promise<VerifiedMetadata | undefined> {
  const { status, bytes, version } = await store.get(path, { maxBytes: maxSpecFileBytes });
  if (status !== "found") return undefined;
  const place = { url: store.locate(path) };
  const { text, signedBy, validUntil } = await believe(decodeUtf8(bytes, place), trust, place);
  const { document, root, graph } = identifySpec(text, asked, place);
  const paths = packagePaths(root, (hash) => graph.get(hash));
  const named = paths.find(({ signed, unsigned }) => path === signed || path === unsigned);
  const archivePath = archive ?? named?.archive;
  if (archivePath === undefined)
    throw new SpacktainersError("IDENTITY_MISMATCH", "the package's metadata has the name of another", {
      place,
    });
  return {
    format: "v2",
    path,
    version,
    specFile: text,
    specPath: undefined,
    archivePath,
    digest: archiveDigest(document, place),
    size: undefined,
    signedBy,
    validUntil,
  };
}

function archiveDigest(document: unknown, place: Place): Digest {
  const fail = (what: string): never => {
    throw new SpacktainersError("CACHE_INVALID", `the package's metadata ${what}`, {
      place,
      hint: pushAgain,
    });
  };
  if (!isJsonObject(document)) return fail("is not an object");
  const layout = document.buildcache_layout_version;
  if (layout !== 1 && layout !== 2)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `the package was pushed in layout ${JSON.stringify(layout ?? 0).slice(0, 20)}; only 1 and 2 can be read here`,
      { place, hint: "push it again with Spack 0.18 or newer" },
    );
  const checksum = document.binary_cache_checksum;
  if (!isJsonObject(checksum)) return fail("has no checksum of the archive");
  if (checksum.hash_algorithm !== "sha256") return fail("has a checksum that is not SHA-256");
  return parseDigest(`sha256:${String(checksum.hash)}`) ?? fail("has a malformed checksum");
}
