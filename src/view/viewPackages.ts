/** Which packages of a closure a view shows. */
import { compareVersions, parseVersion } from "../spec/versions.ts";
import type { ViewPackage } from "./types.ts";

/** Packages that Spack's recipes tag as run-time libraries of compilers and of libc: one closure may hold several. */
const runtimeNames: ReadonlySet<string> = new Set([
  "compiler-wrapper",
  "gcc-runtime",
  "glibc",
  "intel-oneapi-runtime",
  "musl",
]);

/**
 * Keeps of every run-time package only the one with the highest version; of equal versions the first.
 * @param packages in view order
 */
export function withoutRepeatedRuntimes(packages: readonly ViewPackage[]): readonly ViewPackage[] {
  const newest = new Map<string, ViewPackage>();
  for (const one of packages) {
    const { name, version } = one.spec;
    if (!runtimeNames.has(name)) continue;
    const best = newest.get(name);
    if (best === undefined || isNewer(version, best.spec.version)) newest.set(name, one);
  }
  return packages.filter((one) => !runtimeNames.has(one.spec.name) || newest.get(one.spec.name) === one);
}

function isNewer(version: string, than: string): boolean {
  if (version === than) return false;
  return compareVersions(parseVersion(version, "1.x"), parseVersion(than, "1.x")) > 0;
}
