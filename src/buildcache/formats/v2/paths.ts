/** Where layout v2 keeps things, relative to the root of a cache. Formats: `docs/formats.md`, "Build cache layout". */
import { type DependencyLookup, type PackageId, pathComponent } from "../packageId.ts";

export const v2FixedPaths = {
  index: "build_cache/index.json",
  indexHash: "build_cache/index.json.hash",
  keyIndex: "build_cache/_pgp/index.json",
  key: (fingerprint: string) => `build_cache/_pgp/${fingerprint}.pub`,
} as const;

/** Paths of one package in layout v2. */
export interface PackagePaths {
  readonly signed: string;
  readonly unsigned: string;
  readonly archive: string;
}

/**
 * Where layout v2 keeps a package. The names contain the compiler; there is more than one candidate where it is not an
 * attribute of the node: the compiler that an older spec had before it was converted, the package behind the `c`,
 * `cxx` or `fortran` edge, and `none`.
 */
export function packagePaths(spec: PackageId, lookup: DependencyLookup): PackagePaths[] {
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

function compilersOf(spec: PackageId, lookup: DependencyLookup): { name: string; version: string }[] {
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
