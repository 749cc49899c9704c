/** Package metadata in layout v3: a signed manifest that names two blobs, the spec file and the archive. */
import { constants, gunzipSync } from "node:zlib";
import { type RetryPolicy, TransientFailure, withRetries } from "../../../net/retry.ts";
import type { Store } from "../../../store/store.ts";
import { digestOf } from "../../../util/digest.ts";
import { type Place, SpacktainersError } from "../../../util/errors.ts";
import { believe, type Trust } from "../believe.ts";
import type { PackageId } from "../packageId.ts";
import {
  decodeUtf8,
  identifySpec,
  maxSpecFileBytes,
  pushAgain,
  type VerifiedMetadata,
} from "../verifiedMetadata.ts";
import { type ManifestRecord, newestRecord, parseCacheManifest } from "./manifest.ts";
import { blobPath, manifestPath } from "./paths.ts";

const maxManifestBytes = 2 ** 20;

/**
 * Fetches and verifies the metadata of a package; undefined when the cache does not have it.
 *
 * @param policy for the moment in which a package is pushed again: its manifest or its blobs are then missing for a while
 * @throws SIGNATURE_MISSING, SIGNATURE_INVALID, KEY_UNKNOWN, KEY_INVALID, IDENTITY_MISMATCH, CHECKSUM_MISMATCH,
 *   CACHE_INVALID, NOT_SUPPORTED, and what the store throws
 */
export async function findV3Metadata(
  store: Store,
  trust: Trust,
  asked: PackageId,
  policy: RetryPolicy,
): Promise<VerifiedMetadata | undefined> {
  return readV3Metadata(store, trust, { path: manifestPath(asked), asked }, policy);
}

/**
 * The same for a package of which only the manifest's path and the hash may be known.
 *
 * @throws as {@link findV3Metadata}
 */
export async function readV3Metadata(
  store: Store,
  trust: Trust,
  {
    path,
    asked,
  }: {
    readonly path: string;
    readonly asked: Pick<PackageId, "hash"> & Partial<Pick<PackageId, "name" | "version">>;
  },
  policy: RetryPolicy,
): Promise<VerifiedMetadata | undefined> {
  return withRetries(policy, store.locate(path), async () => {
    const { status, bytes, version } = await store.get(path, { maxBytes: maxManifestBytes });
    if (status !== "found") return undefined;
    const place = { url: store.locate(path) };
    const { text, signedBy, validUntil } = await believe(decodeUtf8(bytes, place), trust, place);
    const records = parseCacheManifest(text, place);
    const archive = newestRecord(records, "install", 2, 2);
    if (archive === undefined) throw unreadable("archive", records, place);
    const spec = newestRecord(records, "spec", 3, 6);
    if (spec === undefined) throw unreadable("spec file", records, place);
    const specFile = await fetchSpecFile(store, spec, place);
    // The manifest names digests only: whose they are, the spec file must say.
    identifySpec(specFile, asked, { url: store.locate(blobPath(spec.digest)) });
    return {
      format: "v3",
      path,
      version,
      specFile,
      specPath: blobPath(spec.digest),
      archivePath: blobPath(archive.digest),
      digest: archive.digest,
      size: archive.size,
      signedBy,
      validUntil,
    };
  });
}

async function fetchSpecFile(store: Store, record: ManifestRecord, manifest: Place): Promise<string> {
  const path = blobPath(record.digest);
  const place = { url: store.locate(path) };
  if (record.size > maxSpecFileBytes)
    throw new SpacktainersError("CACHE_INVALID", "the manifest names an enormous spec file", {
      place: manifest,
      hint: pushAgain,
    });
  const { status, bytes } = await store.get(path, { maxBytes: maxSpecFileBytes });
  if (status !== "found")
    throw new TransientFailure(
      new SpacktainersError("CACHE_INVALID", "the manifest names a spec file that is not in the cache", {
        place,
        hint: "push the package again",
      }),
    );
  if (bytes.length !== record.size || digestOf(bytes) !== record.digest)
    throw new SpacktainersError("CHECKSUM_MISMATCH", "the spec file differs from the one that was signed", {
      place,
      hint: "the cache's copy is damaged or was changed after it was signed; push the package again",
    });
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return decodeUtf8(record.compression === "gzip" || gzipped ? gunzip(bytes, place) : bytes, place);
}

/** Decompresses one gzip member, to {@link maxSpecFileBytes} at most. Throws CACHE_INVALID. */
function gunzip(bytes: Uint8Array, place: Place): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: maxSpecFileBytes, finishFlush: constants.Z_FINISH });
  } catch (cause) {
    throw new SpacktainersError("CACHE_INVALID", "the spec file cannot be decompressed", {
      place,
      hint: pushAgain,
      cause,
    });
  }
}

function unreadable(what: string, records: readonly ManifestRecord[], place: Place): SpacktainersError {
  const types = records.map((record) => record.mediaType.slice(0, 80)).slice(0, 5);
  return new SpacktainersError(
    "NOT_SUPPORTED",
    `the manifest has no ${what} of a version that can be read here (${types.join(", ")})`,
    { place, hint: "a newer Spack wrote it; a newer version of spacktainers may be able to read it" },
  );
}
