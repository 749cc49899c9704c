/** Package metadata in layout v2: a signed spec file that also names the archive's digest. */

import { looksClearSigned, parseCleartext } from "../openpgp/cleartext.ts";
import type { TrustedKeys } from "../openpgp/trustedKeys.ts";
import { type Digest, parseDigest } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { type PackageId, packagePaths2, type SpecLookup } from "./layoutPaths.ts";
import type { CacheStore } from "./store.ts";
import {
  decodeUtf8,
  identifySpec,
  maxSpecFileBytes,
  pushAgain,
  type VerifiedMetadata,
} from "./verifiedMetadata.ts";

/** Whose word counts for a cache. */
export interface Trust {
  readonly keys: TrustedKeys;
  /** The configuration says that the cache has no signatures. */
  readonly unsigned: boolean;
}

/**
 * Fetches and verifies the metadata of a package; undefined when the cache does not have it.
 *
 * @throws SIGNATURE_MISSING, SIGNATURE_INVALID, KEY_UNKNOWN, KEY_INVALID, IDENTITY_MISMATCH, CACHE_INVALID,
 *   NOT_SUPPORTED, and what the store throws
 */
export async function fetchMetadata2(
  store: CacheStore,
  trust: Trust,
  asked: PackageId,
  lookup: SpecLookup,
): Promise<VerifiedMetadata | undefined> {
  for (const paths of packagePaths2(asked, lookup)) {
    for (const path of [paths.signed, paths.unsigned]) {
      const { status, bytes, version } = await store.get(path, { maxBytes: maxSpecFileBytes });
      if (status !== "found") continue;
      const place = { url: store.locate(path) };
      const { text, signedBy, validUntil } = await believe(decodeUtf8(bytes, place), trust, place);
      const { document } = identifySpec(text, asked, place);
      const digest = archiveDigest(document, place);
      return {
        layout: 2,
        path,
        version,
        specFile: text,
        archivePath: paths.archive,
        digest,
        size: undefined,
        signedBy,
        validUntil,
      };
    }
  }
  return undefined;
}

/** A text that may be believed, and on whose word: undefined for a cache that needs no signatures. */
export interface BelievedText {
  readonly text: string;
  readonly signedBy: string | undefined;
  /** When the key or the signature ends, in milliseconds since 1970; undefined when neither does. */
  readonly validUntil: number | undefined;
}

/**
 * The part of a metadata file that may be believed: the verified text, or the whole where the configuration asks for no
 * signature. A signature that is there and wrong is refused in any case.
 *
 * @throws SIGNATURE_MISSING, SIGNATURE_INVALID, KEY_UNKNOWN, KEY_INVALID
 */
export async function believe(source: string, trust: Trust, place: Place): Promise<BelievedText> {
  if (looksClearSigned(source)) {
    if (trust.keys.count > 0 || !trust.unsigned) {
      try {
        return await trust.keys.verifyText(source, place);
      } catch (thrown) {
        const stranger = thrown instanceof SpacktainersError && thrown.code === "KEY_UNKNOWN";
        if (!stranger || !trust.unsigned) throw thrown;
      }
    }
    return { text: parseCleartext(source, place).text, signedBy: undefined, validUntil: undefined };
  }
  if (trust.unsigned) return { text: source, signedBy: undefined, validUntil: undefined };
  throw new SpacktainersError("SIGNATURE_MISSING", "the package is not signed", {
    place,
    hint: "if this cache is meant to have no signatures, say `unsigned: true` for it in spacktainers.yaml",
  });
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
      `the package was pushed in layout ${JSON.stringify(layout ?? 0).slice(0, 20)}; 1 and 2 can be read here`,
      { place, hint: "push it again with Spack 0.18 or newer" },
    );
  const checksum = document.binary_cache_checksum;
  if (!isJsonObject(checksum)) return fail("has no checksum of the archive");
  if (checksum.hash_algorithm !== "sha256") return fail("has a checksum that is not SHA-256");
  return parseDigest(`sha256:${String(checksum.hash)}`) ?? fail("has a malformed checksum");
}
