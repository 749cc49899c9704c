/** Manifests of layout v3: small JSON files that name blobs by digest. */
import { type Digest, digestOfHex } from "../../../util/digest.ts";
import { type Place, SpacktainersError } from "../../../util/errors.ts";
import { isJsonObject, type Json } from "../../../util/json.ts";

/** One blob that a manifest names. */
export interface ManifestRecord {
  /** As stored, after compression. */
  readonly digest: Digest;
  /** Bytes, as stored. */
  readonly size: number;
  readonly mediaType: string;
  readonly compression: "gzip" | "none";
}

/** What a media type is about, and the version in it. */
type RecordKind = "install" | "spec" | "db" | "key" | "keyindex";

const mediaTypes: Readonly<Record<RecordKind, RegExp>> = {
  install: /^application\/vnd\.spack\.install\.v(\d{1,3})\.tar\+gzip$/,
  spec: /^application\/vnd\.spack\.spec\.v(\d{1,3})\+json$/,
  db: /^application\/vnd\.spack\.db\.v(\d{1,3})\+json$/,
  key: /^application\/pgp-keys()$/,
  keyindex: /^application\/vnd\.spack\.keyindex\.v(\d{1,3})\+json$/,
};

/** Manifests have two records today. */
const maxRecords = 1000;

/**
 * Reads the JSON of a manifest (for signed ones: the verified text).
 *
 * @throws CACHE_INVALID when it is not a manifest of version 3, or names a blob by anything but SHA-256
 */
export function parseCacheManifest(source: Uint8Array | string, place: Place): readonly ManifestRecord[] {
  const fail = (what: string): never => {
    throw new SpacktainersError("CACHE_INVALID", `the manifest cannot be read: ${what}`, {
      place,
      hint: "it is damaged, or another server answers in the cache's place",
    });
  };
  let json: unknown;
  try {
    json = JSON.parse(typeof source === "string" ? source : Buffer.from(source).toString("utf8"));
  } catch {
    return fail("it is not JSON");
  }
  if (!isJsonObject(json)) return fail("it is not a JSON object");
  if (json.version !== 3) return fail(`its version is ${JSON.stringify(json.version)?.slice(0, 40)}, not 3`);
  if (!Array.isArray(json.data) || json.data.length > maxRecords) return fail("it has no list of blobs");
  return json.data.map((record: Json) => {
    if (!isJsonObject(record)) return fail("an entry is not an object");
    const { contentLength, mediaType, compression, checksumAlgorithm, checksum } = record;
    if (typeof mediaType !== "string") return fail("an entry has no media type");
    if (checksumAlgorithm !== "sha256" || typeof checksum !== "string" || !/^[0-9a-f]{64}$/.test(checksum))
      return fail("an entry has no SHA-256");
    if (typeof contentLength !== "number" || !Number.isSafeInteger(contentLength) || contentLength < 0)
      return fail("an entry has no length");
    if (compression !== "gzip" && compression !== "none") return fail("an entry has an unknown compression");
    return { digest: digestOfHex(checksum), size: contentLength, mediaType, compression };
  });
}

/** The record of a kind with the highest version from `lowest` to `highest`; undefined when there is none. */
export function newestRecord(
  records: readonly ManifestRecord[],
  kind: RecordKind,
  lowest = 0,
  highest = Number.MAX_SAFE_INTEGER,
): ManifestRecord | undefined {
  let best: ManifestRecord | undefined;
  let bestVersion = -1;
  for (const record of records) {
    const match = mediaTypes[kind].exec(record.mediaType);
    if (match === null) continue;
    const version = Number(match[1]);
    if (version < lowest || version > highest || version <= bestVersion) continue;
    best = record;
    bestVersion = version;
  }
  return best;
}
