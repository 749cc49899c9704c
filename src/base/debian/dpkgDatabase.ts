/** dpkg's database of what is installed: package managers and scanners read it (dpkg(1), /var/lib/dpkg). */

/** What is recorded of an unpacked package. */
export interface DpkgPackage {
  readonly name: string;
  readonly architecture: string;
  readonly multiArch: string;
  /** Its control file. */
  readonly controlText: string;
  /** Its `md5sums` file. */
  readonly md5sums: string;
  /** Paths that were unpacked, relative, as the package names them. */
  readonly files: readonly string[];
  /** Its configuration files that were unpacked: absolute path and MD5. */
  readonly conffiles: readonly (readonly [path: string, md5: string])[];
}

/** A file of the database: path relative to the root, and text. */
export type DatabaseFile = readonly [path: string, text: string];

/**
 * The database as files, sorted by path. Maintainer scripts are not recorded, since none were run.
 * @param packages in any order
 */
export function dpkgDatabase(packages: readonly DpkgPackage[]): readonly DatabaseFile[] {
  const sorted = [...packages].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const files: DatabaseFile[] = [
    ["var/lib/dpkg/status", sorted.map((one) => `${statusParagraph(one)}\n`).join("")],
    ["var/lib/dpkg/available", ""],
    ["var/lib/dpkg/info/format", "1\n"],
  ];
  for (const one of sorted) {
    const base = `var/lib/dpkg/info/${one.name}${one.multiArch === "same" ? `:${one.architecture}` : ""}`;
    const present = new Set(one.files);
    files.push([
      `${base}.list`,
      ["/.", ...one.files.map((path) => `/${path}`)].map((line) => `${line}\n`).join(""),
    ]);
    const sums = one.md5sums.split("\n").filter((line) => present.has(line.slice(34)));
    if (sums.length > 0) files.push([`${base}.md5sums`, sums.map((line) => `${line}\n`).join("")]);
    if (one.conffiles.length > 0)
      files.push([`${base}.conffiles`, one.conffiles.map(([path]) => `${path}\n`).join("")]);
  }
  return files.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The control file's own fields, with the state of the package after its name. */
function statusParagraph(one: DpkgPackage): string {
  const lines = one.controlText.split("\n").filter((line) => line.trim() !== "");
  const state = ["Status: install ok installed"];
  if (one.conffiles.length > 0) {
    state.push("Conffiles:", ...one.conffiles.map(([path, md5]) => ` ${path} ${md5}`));
  }
  const name = lines.findIndex((line) => /^package:/i.test(line));
  return [...lines.slice(0, name + 1), ...state, ...lines.slice(name + 1)]
    .map((line) => `${line}\n`)
    .join("");
}
