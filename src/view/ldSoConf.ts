/** Where the dynamic loader of an image looks for libraries: `/etc/ld.so.conf` and the folders built into it. */
import { matchesGlob } from "../util/matchesGlob.ts";

/** Path of our own file below `/etc/ld.so.conf.d`. */
export const viewLdSoConfPath = "/etc/ld.so.conf.d/zz_spacktainers.conf";
/** The main file; Debian's includes the folder. */
export const ldSoConfPath = "/etc/ld.so.conf";
/** Its text for images whose base has none. */
export const ldSoConfText = "include /etc/ld.so.conf.d/*.conf\n";

/** Depth of includes that is followed. */
const maxDepth = 8;
/** Files read; real images have some ten. */
const maxFiles = 1000;

const triplets = { amd64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" } as const;

/** A processor architecture by its OCI name. */
export type LoaderArchitecture = keyof typeof triplets;

/**
 * The text of `/etc/ld.so.conf.d/zz_spacktainers.conf`: the view's library folders. The file's name makes it the last of
 * the folder, so that programs of the base keep finding the base's libraries first; Spack's programs find theirs by RPATH.
 */
export function viewLdSoConf(viewPath: string): string {
  return `# Libraries of the Spack packages.\n${viewLibraryDirectories(viewPath).join("\n")}\n`;
}

function viewLibraryDirectories(viewPath: string): readonly string[] {
  return [`${viewPath}/lib`, `${viewPath}/lib64`];
}

/**
 * The folders built into the loader, searched after the cache.
 * Debian's and Ubuntu's loaders have the multiarch folders, others `lib64`.
 */
export function defaultLibraryDirectories(architecture: LoaderArchitecture): readonly string[] {
  const triplet = triplets[architecture];
  return [`/lib/${triplet}`, `/usr/lib/${triplet}`, "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
}

/** What `$LIB` in a search path may stand for: the distributions differ. */
export function libNames(architecture: LoaderArchitecture): readonly string[] {
  return [`lib/${triplets[architecture]}`, "lib64", "lib"];
}

/** What `$PLATFORM` stands for. */
export function platformName(architecture: LoaderArchitecture): string {
  return architecture === "amd64" ? "x86_64" : "aarch64";
}

/** How {@link parseLdSoConf} sees the image. */
export interface LdSoConfFiles {
  /** Text of a file, undefined when it is not there. */
  readonly read: (path: string) => string | undefined;
  /** Names in a folder. */
  readonly list: (path: string) => readonly string[];
}

/**
 * The folders that `/etc/ld.so.conf` names, in order, includes followed. Every file is read once: what a second reading
 * would add is there already.
 * @param path of the file to start with
 */
export function parseLdSoConf(files: LdSoConfFiles, path = ldSoConfPath): readonly string[] {
  const directories = new Set<string>();
  readConf(path, files, { directories, seen: new Set(), depth: 0 });
  return [...directories];
}

/** What was found so far. */
interface ConfWalk {
  readonly directories: Set<string>;
  readonly seen: Set<string>;
  readonly depth: number;
}

function readConf(path: string, files: LdSoConfFiles, { directories, seen, depth }: ConfWalk): void {
  if (depth > maxDepth || seen.size >= maxFiles || seen.has(path)) return;
  seen.add(path);
  for (const line of files.read(path)?.split("\n") ?? []) {
    const words = (line.split("#", 1)[0] ?? "").trim();
    const included = /^include\s(.*)$/.exec(words)?.[1];
    if (included === undefined) {
      // An old form appends the kind of library after `=`; hwcap lines are obsolete.
      const directory = (words.split("=", 1)[0] ?? "").trimEnd();
      if (directory.startsWith("/")) directories.add(withoutSlashes(directory) || "/");
      continue;
    }
    for (const pattern of included.trim().split(/\s+/)) {
      const whole = pattern.startsWith("/") ? pattern : `${path.slice(0, path.lastIndexOf("/"))}/${pattern}`;
      const slash = whole.lastIndexOf("/");
      const folder = whole.slice(0, slash);
      const glob = whole.slice(slash + 1);
      for (const name of [...files.list(folder)].sort())
        if (!name.startsWith(".") && matchesGlob(name, glob))
          readConf(`${folder}/${name}`, files, { directories, seen, depth: depth + 1 });
    }
  }
}

function withoutSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === "/") end--;
  return path.slice(0, end);
}

/**
 * The folders whose libraries go into the image's cache, the most important first: those of the base's configuration,
 * those built into the loader, the view's.
 * @param configured what the base's `/etc/ld.so.conf` names; undefined when it is not known: Debian's usual folders
 */
export function cacheDirectories(
  architecture: LoaderArchitecture,
  viewPath: string | undefined,
  configured?: readonly string[],
): readonly string[] {
  const triplet = triplets[architecture];
  const own = viewPath === undefined ? [] : viewLibraryDirectories(viewPath);
  const named = configured ?? ["/usr/local/lib", `/usr/local/lib/${triplet}`];
  return [...named.filter((one) => !own.includes(one)), ...defaultLibraryDirectories(architecture), ...own];
}
