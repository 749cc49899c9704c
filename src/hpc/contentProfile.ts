/** The files of an image that cannot work, whatever runs it: by the check before writing, and by what images are started with. */
import { checkLinkage } from "../linkage/checkLinkage.ts";
import { describeProblem } from "../linkage/linkageErrors.ts";
import type { LinkagePackage, LinkageProblem } from "../linkage/types.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";
import type { FileTree } from "../view/fileTree.ts";
import type { CachedLibrary } from "../view/ldSoCache.ts";

/** Something that files of an image need and that is not in it. */
export interface UnresolvedLibrary {
  readonly severity: "error" | "warning";
  /** Spack package, or `base`. */
  readonly owner: string;
  /** One sentence. */
  readonly text: string;
  /** Names that allow it: what is missing, the library without it, the owner. */
  readonly names: readonly string[];
  readonly files: readonly string[];
  readonly remedy: string | undefined;
}

/** A file or directory that only its owner can read, whom programs in a container are often not. */
export interface ClosedPath {
  readonly path: string;
  readonly mode: number;
}

/** A library of drivers, which must be the machine's. */
export interface DriverLibrary {
  readonly path: string;
  readonly device: "gpu" | "network";
}

/** What {@link contentProfile} finds. */
export interface ContentProfile {
  readonly unresolved: readonly UnresolvedLibrary[];
  /** The first are the outermost. */
  readonly closed: readonly ClosedPath[];
  /** The program that the image's entrypoint or command names, where it is not in the image or cannot be executed. */
  readonly missingStart: { readonly program: string; readonly line: string } | undefined;
  readonly hasShell: boolean;
  /** Libraries that are to be loaded into every program and are not in the image, and what says so. */
  readonly missingPreload: readonly { readonly library: string; readonly from: string }[];
  readonly drivers: readonly DriverLibrary[];
}

/** An image as far as it matters here. */
export interface ContentSource {
  readonly tree: FileTree;
  readonly architecture: string;
  /** Spack packages that run in it. */
  readonly specs: readonly ConcreteSpec[];
  readonly cache: readonly CachedLibrary[];
  readonly env: ReadonlyMap<string, string>;
  /** Entrypoint and command; undefined where scripts in the image say how it is started. */
  readonly start: readonly string[] | undefined;
  readonly workdir: string;
  /** Content of `/etc/ld.so.preload`. */
  readonly preload: string | undefined;
  /** The C library in the image; without GNU's its loader goes by other rules. */
  readonly libc: string | undefined;
}

/** At most so many are remembered of each kind. */
const mostFacts = 200;
/** At most so many files of a problem. */
const mostFiles = 8;

export function contentProfile(source: ContentSource): ContentProfile {
  const prefixes = prefixesOf(source);
  return {
    unresolved: unresolvedOf(source, prefixes).slice(0, mostFacts),
    closed: closedPaths(source, prefixes).slice(0, mostFacts),
    missingStart: missingStart(source),
    hasShell: isFile(source.tree, "/bin/sh"),
    missingPreload: missingPreload(source),
    drivers: driverLibraries(source.tree).slice(0, mostFacts),
  };
}

/** Prefixes of the packages, found by their hashes: where they are is the image's matter. */
function prefixesOf({ tree, specs }: ContentSource): readonly LinkagePackage[] {
  const byHash = new Map(specs.map((spec) => [spec.hash as string, spec]));
  const found = new Map<string, string>();
  for (const [path] of tree.entries()) {
    const [, prefix = "", hash = ""] = /^(.*?-([a-z2-7]{32}))(?:\/|$)/.exec(path) ?? [];
    // A view has links called the same; the prefix itself is the directory.
    if (byHash.has(hash) && !found.has(hash) && tree.at(prefix)?.type === "directory")
      found.set(hash, prefix);
  }
  return specs.flatMap((spec) => {
    const prefix = found.get(spec.hash);
    return prefix === undefined ? [] : [{ spec, prefix: `/${prefix}` }];
  });
}

function unresolvedOf(
  source: ContentSource,
  packages: readonly LinkagePackage[],
): readonly UnresolvedLibrary[] {
  const { tree, architecture, cache, env, libc } = source;
  if ((architecture !== "amd64" && architecture !== "arm64") || libc === undefined) return [];
  const folders = (name: string): readonly string[] =>
    (env.get(name) ?? "").split(":").filter((folder) => folder !== "");
  const { problems, warnings } = checkLinkage({
    tree,
    architecture,
    packages,
    cache,
    searchPath: folders("PATH"),
    libraryPath: folders("LD_LIBRARY_PATH"),
  });
  return [
    ...problems.map((problem) =>
      unresolved(problem, problem.owner === "base" ? severityInBase(problem) : "error"),
    ),
    // Libraries of the machine's drivers are brought by the runtime, and what a package only has along is no trouble.
    ...warnings.filter(({ kind }) => kind === "interpreter").map((problem) => unresolved(problem, "warning")),
  ];
}

/** Distributions have scripts for interpreters that they only recommend. */
function severityInBase({ kind }: LinkageProblem): "error" | "warning" {
  return kind === "shebang" ? "warning" : "error";
}

function unresolved(problem: LinkageProblem, severity: "error" | "warning"): UnresolvedLibrary {
  const { owner, missing, library, files, hint } = problem;
  return {
    severity,
    owner,
    text: describeProblem(problem),
    names: [missing, ...(library === undefined ? [] : [library]), owner, owner.split("@")[0] ?? owner],
    files: files.slice(0, mostFiles),
    remedy: hint,
  };
}

/** Directories on the way to the packages and in them, their programs and libraries, that others than the owner cannot get to. */
function closedPaths(
  { tree, env }: ContentSource,
  packages: readonly LinkagePackage[],
): readonly ClosedPath[] {
  const places = [
    ...packages.map(({ prefix }) => prefix.slice(1)),
    ...(env.get("PATH") ?? "").split(":").flatMap((folder) => tree.resolve(folder)?.path ?? []),
    ...["opt/software", "opt/view", "opt/spack-environment"].flatMap(
      (folder) => tree.resolve(folder)?.path ?? [],
    ),
  ];
  const inside = new Set(places);
  const above = new Set(places.flatMap(parents));
  const isInside = (path: string): boolean =>
    inside.has(path) || parents(path).some((parent) => inside.has(parent));
  const closed: ClosedPath[] = [];
  for (const [path, { type, mode, elf, shebang }] of tree.entries()) {
    const isDirectory = type === "directory";
    const matters = isDirectory || (type === "file" && (elf !== undefined || shebang !== undefined));
    const needed = isDirectory ? 0o001 : 0o004;
    if (!matters || (mode & needed) === needed) continue;
    if ((isDirectory && above.has(path)) || isInside(path))
      closed.push({ path: `/${path}`, mode: mode & 0o7777 });
  }
  return closed.sort(
    (a, b) => a.path.split("/").length - b.path.split("/").length || (a.path < b.path ? -1 : 1),
  );
}

function parents(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join("/"));
}

function missingStart({ tree, env, start, workdir }: ContentSource): ContentProfile["missingStart"] {
  const [program] = start ?? [];
  if (start === undefined || program === undefined || program === "") return undefined;
  const places = program.startsWith("/")
    ? [program]
    : program.includes("/")
      ? [`${workdir}/${program}`]
      : (env.get("PATH") ?? "/usr/local/bin:/usr/bin:/bin")
          .split(":")
          .map((folder) => `${folder}/${program}`);
  return places.some((place) => isProgram(tree, place))
    ? undefined
    : { program, line: JSON.stringify(start) };
}

function isFile(tree: FileTree, path: string): boolean {
  const type = tree.resolve(path)?.entry.type;
  return type === "file" || type === "hardlink";
}

function isProgram(tree: FileTree, path: string): boolean {
  const found = tree.resolve(path);
  if (found === undefined || (found.entry.type !== "file" && found.entry.type !== "hardlink")) return false;
  return (tree.hardLinkTarget(found).entry.mode & 0o111) !== 0;
}

function missingPreload({ tree, env, cache, preload }: ContentSource): ContentProfile["missingPreload"] {
  const known = new Set(cache.map(({ name }) => name));
  const asked = [
    ...["LD_PRELOAD", "LD_AUDIT"].map((name) => ({ list: env.get(name) ?? "", from: `variable ${name}` })),
    { list: (preload ?? "").replaceAll(/#.*/g, ""), from: "/etc/ld.so.preload" },
  ];
  const folders = (env.get("LD_LIBRARY_PATH") ?? "").split(":").filter((folder) => folder !== "");
  const isThere = (library: string): boolean =>
    library.includes("/")
      ? isFile(tree, library)
      : known.has(library) || folders.some((folder) => isFile(tree, `${folder}/${library}`));
  return asked.flatMap(({ list, from }) =>
    list
      .split(/[\s:]+/)
      // The loader fills in $ORIGIN and the like for each program.
      .filter((library) => library !== "" && !library.includes("$") && !isThere(library))
      .map((library) => ({ library, from })),
  );
}

const gpuDriver = /(?:^|\/)(?:libcuda|libnvidia-[\w-]+|libnvcuvid|libnvoptix)\.so(?:\.[\d.]+)?$/;
const networkDriver = /(?:^|\/)libmlx[45](?:-rdmav\d+)?\.so(?:\.[\d.]+)?$/;

function driverLibraries(tree: FileTree): readonly DriverLibrary[] {
  const found: DriverLibrary[] = [];
  for (const [path, { type, elf }] of tree.entries()) {
    if (type !== "file" || elf === undefined) continue;
    // What programs are linked against where there is no driver; nothing loads it.
    if (gpuDriver.test(path) && !/\/stubs\//.test(path)) found.push({ path: `/${path}`, device: "gpu" });
    else if (networkDriver.test(path)) found.push({ path: `/${path}`, device: "network" });
  }
  return found;
}
