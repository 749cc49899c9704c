/** Whether a package in a cache is what it says: signature, checksum, archive, and whose archive it is. */
import { rm } from "node:fs/promises";
import { readContent } from "../../archive/content.ts";
import type { BuildCache } from "../../buildcache/buildCache.ts";
import type { DependencyLookup, PackageId } from "../../buildcache/formats/packageId.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import { openPackageArchive } from "../../install/packageArchive.ts";
import { scanArchive } from "../../install/scanArchive.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { isJsonObject } from "../../util/json.ts";

/** How to check. */
export interface CheckCopyOptions {
  /** False: metadata alone. */
  readonly archives: boolean;
  readonly signal: AbortSignal;
  /** Told the bytes that were read since the last call. */
  readonly onBytes: (bytes: number) => void;
  /** Folder whose files may be removed after use: what was downloaded into it for the check. */
  readonly scratch: string;
}

/** What Spack keeps of a package's spec inside of its prefix. */
const specInside = /\/\.spack\/spec\.json$/;

/** Largest spec file that is read out of an archive, in bytes. */
const largestSpec = 64 * 2 ** 20;

/**
 * Checks one package of one cache.
 *
 * @param cache opened so that nothing of an earlier run is remembered
 * @returns its metadata, and the bytes of its archive where they are known
 * @throws {SpacktainersError} for the first thing that is wrong: `PACKAGE_NOT_CACHED` when it is not there at all
 */
export async function checkCopy(
  cache: BuildCache,
  spec: PackageId,
  lookup: DependencyLookup,
  options: CheckCopyOptions,
): Promise<{ readonly pkg: CachedPackage; readonly bytes: number | undefined }> {
  const pkg = await cache.findPackage(spec, lookup);
  if (pkg === undefined)
    throw new SpacktainersError("PACKAGE_NOT_CACHED", "the index lists it, but it does not exist", {
      place: { url: cache.url },
      hint: "push it again, or make the index again: spacktainers cache index",
    });
  if (!options.archives) return { pkg, bytes: await cache.archiveSize(pkg) };
  const archive = await cache.fetchArchive(pkg);
  try {
    await checkArchive(archive.path, pkg, options);
  } finally {
    if (archive.path.startsWith(`${options.scratch}/`)) await rm(archive.path, { force: true });
  }
  return { pkg, bytes: archive.size };
}

async function checkArchive(path: string, pkg: CachedPackage, options: CheckCopyOptions): Promise<void> {
  const place: Place = { url: pkg.archiveUrl };
  let inside: unknown;
  let insidePath: string | undefined;
  // Read once, so there is nothing to keep.
  const archive = await openPackageArchive(path, { place, signal: options.signal, digest: pkg.digest });
  const { prefix, buildinfo } = await scanArchive(archive, {
    onRead: options.onBytes,
    onEntry: async (entry) => {
      if (entry.type !== "file" || !specInside.test(entry.path) || entry.size > largestSpec) return;
      // That of the package is the first: others may lie deeper.
      if (insidePath !== undefined && insidePath.length <= entry.path.length) return;
      insidePath = entry.path;
      inside = parsed(await readContent(entry));
    },
  });
  const { hash } = pkg.built;
  const said = insidePath === `${prefix}/.spack/spec.json` ? rootHash(inside) : undefined;
  if (said !== undefined && said !== hash && said !== pkg.spec.hash)
    throw mismatch(`the archive says of itself that it is ${said}`, place);
  const noted = buildinfo.prefixes?.get(hash) ?? buildinfo.prefixes?.get(pkg.spec.hash);
  if (buildinfo.prefixes !== undefined && noted === undefined)
    throw mismatch(`the archive's relocation data does not have the hash of ${briefSpec(pkg.built)}`, place);
  if (noted !== undefined && noted !== `/${prefix}`)
    throw mismatch(`the archive has the prefix /${prefix}, but says that it was built for ${noted}`, place);
}

function mismatch(message: string, place: Place): SpacktainersError {
  return new SpacktainersError("IDENTITY_MISMATCH", message, {
    place,
    hint: "the archive is of another package, or was changed; push the package again",
  });
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}

/** The hash of the first node of a spec file; undefined where it has none (before Spack 0.18). */
function rootHash(document: unknown): string | undefined {
  const spec = isJsonObject(document) ? document.spec : undefined;
  const nodes = isJsonObject(spec) ? spec.nodes : undefined;
  const first: unknown = Array.isArray(nodes) ? nodes[0] : undefined;
  return isJsonObject(first) && typeof first.hash === "string" ? first.hash : undefined;
}
