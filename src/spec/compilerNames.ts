/** Names that Spack gave compilers before 1.0, and the packages they are now. */

const packages = new Map([
  ["clang", "llvm"],
  ["oneapi", "intel-oneapi-compilers"],
  ["rocmcc", "llvm-amdgpu"],
  ["intel", "intel-oneapi-compilers-classic"],
  ["arm", "acfl"],
]);

const legacyNames = new Map([...packages].map(([legacy, name]) => [name, legacy]));

/** The package of a compiler by its legacy name; other names as they are. */
export function compilerPackage(name: string): string {
  return packages.get(name) ?? name;
}

/** The legacy name by which Spack prints a compiler package after `%`; other names as they are. */
export function legacyCompilerName(name: string): string {
  return legacyNames.get(name) ?? name;
}
