/** Which package of an archive has a shared library, by Debian's naming of library packages. */

/** Libraries whose package is not named after them, by the part of the name before `.so`. */
const exceptions: ReadonlyMap<string, (version: string) => readonly string[]> = new Map([
  ["libz", () => ["zlib1g"]],
  ["libcrypto", (version: string) => [`libssl${version}`]],
  ...["form", "menu", "panel", "ncurses"].flatMap((name) =>
    ["", "w"].map(
      (wide) => [`lib${name}${wide}`, (version: string) => [`libncurses${wide}${version}`]] as const,
    ),
  ),
]);

/**
 * The names under which a library's package may be offered, the likeliest first (Debian policy manual, section 8.1: the
 * library's name and the version in its SONAME, with a hyphen between two digits; `t64` since 64-bit times).
 *
 * @param soname as in DT_NEEDED, such as `libssl.so.3`, `libdb-5.3.so`
 * @returns none for a name that is not that of a versioned library
 */
export function libraryPackageNames(soname: string): readonly string[] {
  const match = /^(lib[A-Za-z0-9_+.-]+?)(?:\.so\.([0-9][0-9.]*)|-([0-9][0-9.]*)\.so)$/.exec(soname);
  const stem = match?.[1];
  const version = match?.[2] ?? match?.[3];
  if (stem === undefined || version === undefined) return [];
  const name = stem.toLowerCase().replaceAll("_", "-");
  const plain = `${name}${/\d$/.test(name) ? "-" : ""}${version}`;
  const candidates = exceptions.get(stem)?.(version) ?? [plain];
  return candidates.flatMap((candidate) => [candidate, `${candidate}t64`]);
}

/**
 * The packages to add for libraries, and the libraries that no package of the archive is named after.
 *
 * @param isOffered whether the archive has a package of a name
 */
export function libraryPackages(
  sonames: readonly string[],
  isOffered: (name: string) => boolean,
): { readonly packages: readonly string[]; readonly unnamed: readonly string[] } {
  const packages = new Set<string>();
  const unnamed = new Set<string>();
  for (const soname of sonames) {
    const found = libraryPackageNames(soname).find(isOffered);
    if (found === undefined) unnamed.add(soname);
    else packages.add(found);
  }
  return { packages: [...packages].sort(), unnamed: [...unnamed].sort() };
}
