/** Small build caches made for tests, in both layouts, as files by path. Shaped as Spack's own. */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { syntheticHash } from "./syntheticIndex.ts";

/** What is made of one package. */
export interface TestPackage {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  /** The archive; any bytes will do where nobody unpacks it. */
  readonly archive: Buffer;
}

/** Signs a text, or leaves it as it is. */
export type Sign = (text: string) => Promise<string>;

/** A package with made-up content. */
export function testPackage(name: string, number: number, bytes = 2000): TestPackage {
  const archive = Buffer.alloc(bytes, `archive of ${name} ${number} `);
  return { name, version: `1.${number}`, hash: syntheticHash(number), archive };
}

function sha256(bytes: Buffer | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The node dictionary, in the dialect of spec file version 4 (layout v2) or 5 (layout v3). */
export function nodeOf(pkg: TestPackage, specfileVersion: 4 | 5): Record<string, unknown> {
  return {
    name: pkg.name,
    version: pkg.version,
    arch: { platform: "linux", platform_os: "debian12", target: "x86_64_v3" },
    ...(specfileVersion === 4 ? { compiler: { name: "gcc", version: "12.2.0" } } : {}),
    namespace: "builtin",
    parameters: { build_system: "makefile", pic: true, cflags: [], cppflags: [], cxxflags: [], fflags: [] },
    package_hash: "kisviuifotzuxdgmkcufh6g7smzwjq2356es47f2iwv5zw7etfbq====",
    ...(specfileVersion === 5 ? { annotations: { original_specfile_version: 5 } } : {}),
    hash: pkg.hash,
  };
}

function specFile(pkg: TestPackage, version: 4 | 5, more: object): string {
  return JSON.stringify(
    { spec: { _meta: { version }, nodes: [nodeOf(pkg, version)] }, buildcache_layout_version: 2, ...more },
    undefined,
    1,
  );
}

/** The index of packages. */
export function indexOf(packages: readonly TestPackage[], databaseVersion: "7" | "8"): string {
  const installs = Object.fromEntries(
    packages.map((pkg) => [
      pkg.hash,
      { spec: nodeOf(pkg, databaseVersion === "7" ? 4 : 5), ref_count: 0, in_buildcache: true },
    ]),
  );
  return JSON.stringify({ database: { version: databaseVersion, installs } });
}

/** Paths of a package in layout v2. */
export function paths2(pkg: TestPackage): { readonly metadata: string; readonly archive: string } {
  const stem = `linux-debian12-x86_64_v3-gcc-12.2.0-${pkg.name}-${pkg.version}-${pkg.hash}`;
  return {
    metadata: `build_cache/${stem}.spec.json`,
    archive: `build_cache/linux-debian12-x86_64_v3/gcc-12.2.0/${pkg.name}-${pkg.version}/${stem}.spack`,
  };
}

/** A cache in layout v2. Without `sign`, unsigned. */
export async function cacheFiles2(
  packages: readonly TestPackage[],
  sign?: Sign,
): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const pkg of packages) {
    const paths = paths2(pkg);
    const text = specFile(pkg, 4, {
      binary_cache_checksum: { hash_algorithm: "sha256", hash: sha256(pkg.archive) },
    });
    if (sign === undefined) files.set(paths.metadata, Buffer.from(text));
    else files.set(`${paths.metadata}.sig`, Buffer.from(await sign(text)));
    files.set(paths.archive, pkg.archive);
  }
  const index = indexOf(packages, "7");
  files.set("build_cache/index.json", Buffer.from(index));
  files.set("build_cache/index.json.hash", Buffer.from(sha256(index)));
  return files;
}

/** Path of a package's manifest in layout v3. */
export function manifestPath(pkg: TestPackage): string {
  return `v3/manifests/spec/${pkg.name}/${pkg.name}-${pkg.version}-${pkg.hash}.spec.manifest.json`;
}

/** Path of a blob in layout v3. */
export function blobPath(bytes: Buffer): string {
  const hex = sha256(bytes);
  return `blobs/sha256/${hex.slice(0, 2)}/${hex}`;
}

function manifest(
  records: readonly { readonly bytes: Buffer; readonly type: string; readonly gzip: boolean }[],
) {
  const data = records.map(({ bytes, type, gzip }) => ({
    contentLength: bytes.length,
    mediaType: type,
    compression: gzip ? "gzip" : "none",
    checksumAlgorithm: "sha256",
    checksum: sha256(bytes),
  }));
  return JSON.stringify({ version: 3, data }, undefined, 1);
}

/** A cache in layout v3. Without `sign`, unsigned. */
export async function cacheFiles3(
  packages: readonly TestPackage[],
  sign?: Sign,
): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  files.set("v3/layout.json", Buffer.from('{"signing": "gpg"}'));
  for (const pkg of packages) {
    const spec = gzipSync(specFile(pkg, 5, {}));
    const text = manifest([
      { bytes: pkg.archive, type: "application/vnd.spack.install.v2.tar+gzip", gzip: true },
      { bytes: spec, type: "application/vnd.spack.spec.v5+json", gzip: true },
    ]);
    files.set(manifestPath(pkg), Buffer.from(sign === undefined ? text : await sign(text)));
    files.set(blobPath(spec), spec);
    files.set(blobPath(pkg.archive), pkg.archive);
  }
  const index = Buffer.from(indexOf(packages, "8"));
  files.set(blobPath(index), index);
  files.set(
    "v3/manifests/index/index.manifest.json",
    Buffer.from(manifest([{ bytes: index, type: "application/vnd.spack.db.v8+json", gzip: false }])),
  );
  return files;
}

/** Writes a cache into a directory. */
export async function writeCache(directory: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
}
