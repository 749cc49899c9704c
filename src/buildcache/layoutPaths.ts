/** Where things lie in a build cache, relative to its root. Formats: `docs/formats.md`, "Build cache layout". */
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { type Digest, hexOfDigest } from "../util/digest.ts";

/** What has to be known of a package to find it in a cache. */
export type PackageId = Pick<
  ConcreteSpec,
  "name" | "version" | "hash" | "platform" | "os" | "target" | "compiler" | "dependencies" | "annotations"
>;

/** Finds the dependencies of a spec: spec file versions 5 and later name the compiler only there. */
export type SpecLookup = (hash: DagHash) => Pick<ConcreteSpec, "name" | "version"> | undefined;

/** Fixed paths of layout v2. */
export const layout2 = {
  index: "build_cache/index.json",
  indexHash: "build_cache/index.json.hash",
  keyIndex: "build_cache/_pgp/index.json",
  key: (fingerprint: string) => `build_cache/_pgp/${fingerprint}.pub`,
} as const;

/** Fixed paths of layout v3. */
export const layout3 = {
  layout: "v3/layout.json",
  indexManifest: "v3/manifests/index/index.manifest.json",
  keyIndexManifest: "v3/manifests/key/keys.manifest.json",
  keyManifest: (fingerprint: string) => `v3/manifests/key/${fingerprint}.key.manifest.json`,
} as const;

/** Paths of one package in layout v2. */
export interface PackagePaths2 {
  readonly signed: string;
  readonly unsigned: string;
  readonly archive: string;
}

/** One path component: characters that Spack does not put into file names become `_`. */
export function pathComponent(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_+.-]/g, "_");
}

/**
 * Where layout v2 keeps a package. The names contain the compiler; there is more than one candidate where it is not an
 * attribute of the node: the compiler that an older spec had before it was converted, the package behind the `c`,
 * `cxx` or `fortran` edge, and `none`.
 */
export function packagePaths2(spec: PackageId, lookup: SpecLookup): PackagePaths2[] {
  const { name, version, hash } = spec;
  const arch = pathComponent(`${spec.platform}-${spec.os}-${spec.target}`);
  return compilersOf(spec, lookup).map((compiler) => {
    const stem = pathComponent(`${arch}-${compiler.name}-${compiler.version}-${name}-${version}-${hash}`);
    const folders = `${arch}/${pathComponent(`${compiler.name}-${compiler.version}`)}/${pathComponent(`${name}-${version}`)}`;
    return {
      signed: `build_cache/${stem}.spec.json.sig`,
      unsigned: `build_cache/${stem}.spec.json`,
      archive: `build_cache/${folders}/${stem}.spack`,
    };
  });
}

function compilersOf(spec: PackageId, lookup: SpecLookup): { name: string; version: string }[] {
  if (spec.compiler !== undefined) return [spec.compiler];
  const found: { name: string; version: string }[] = [];
  const add = (name: string, version: string): void => {
    if (!found.some((other) => other.name === name && other.version === version))
      found.push({ name, version });
  };
  const before = /^([^@]+)@=?(.+)$/.exec(spec.annotations?.compiler ?? "");
  if (before?.[1] !== undefined && before[2] !== undefined) add(before[1], before[2]);
  for (const language of ["c", "cxx", "fortran"]) {
    const edge = spec.dependencies.find(
      (dependency) => dependency.types.has("build") && dependency.virtuals.includes(language),
    );
    const compiler = edge === undefined ? undefined : lookup(edge.hash);
    if (compiler === undefined) continue;
    add(compiler.name, compiler.version);
    break;
  }
  add("none", "none");
  return found;
}

/** Where layout v3 keeps the manifest of a package. */
export function manifestPath3({
  name,
  version,
  hash,
}: Pick<ConcreteSpec, "name" | "version" | "hash">): string {
  const folder = pathComponent(name);
  return `v3/manifests/spec/${folder}/${pathComponent(`${name}-${version}-${hash}`)}.spec.manifest.json`;
}

/** Where layout v3 keeps a blob. */
export function blobPath3(digest: Digest): string {
  const hex = hexOfDigest(digest);
  return `blobs/sha256/${hex.slice(0, 2)}/${hex}`;
}
