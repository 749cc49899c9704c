/**
 * What the recipes of Python do when their files are put into a view (`docs/formats.md`, "Recipe-specific behaviour"):
 * the view becomes a virtual environment, and scripts of extensions start the view's interpreter.
 */
import { baseName } from "../archive/names.ts";
import type { ConcreteEdge, ConcreteSpec } from "../spec/concrete.ts";
import { type FileTree, imagePath } from "./fileTree.ts";
import type { MergedFile } from "./mergePrefixes.ts";
import type { ViewPackage } from "./types.ts";

/** What becomes of one file in the view. */
export type ViewPlacement =
  | { readonly kind: "link" }
  | { readonly kind: "relative-link"; readonly target: string }
  | { readonly kind: "rewrite"; readonly text: string; readonly mode: number; readonly shebang?: string };

const linked: ViewPlacement = { kind: "link" };

function runtimeDependency(spec: ConcreteSpec, name: string): ConcreteEdge | undefined {
  return spec.dependencies.find(
    (edge) => edge.name === name && (edge.types.has("run") || edge.types.has("link")),
  );
}

/**
 * The edge to the interpreter that a package extends, or undefined for packages that extend nothing.
 *
 * Recipes say what extends Python, and recipes are not available: a package extends Python when it depends on
 * `python-venv` (every extension does since Spack 0.22), or depends on `python` at run time and installs into
 * `lib/pythonX.Y/site-packages`.
 */
export function extendedPython(viewPackage: ViewPackage, tree: FileTree): ConcreteEdge | undefined {
  const { spec } = viewPackage;
  const venv = runtimeDependency(spec, "python-venv");
  const python = runtimeDependency(spec, "python");
  if (venv !== undefined || spec.name === "python-venv") return python ?? venv;
  if (python === undefined) return undefined;
  return pythonLibrary(viewPackage.prefix, tree) === undefined ? undefined : python;
}

/** Path of `lib/pythonX.Y/site-packages` below a prefix, relative to the prefix, if the package has one. */
export function pythonLibrary(prefix: string, tree: FileTree): string | undefined {
  for (const lib of ["lib", "lib64"]) {
    const directory = tree.resolve(`${prefix}/${lib}`);
    if (directory?.entry.type !== "directory") continue;
    for (const name of tree.children(directory.path))
      if (/^python\d+\.\d+$/.test(name) && tree.isDirectory(`${directory.path}/${name}/site-packages`))
        return `${lib}/${name}/site-packages`;
  }
  return undefined;
}

/** The text with every occurrence of `from` replaced, and its first line without `#!`. */
function rewritten(text: string, from: string, to: string): { text: string; shebang?: string } {
  const result = text.replaceAll(from, () => to);
  const shebang = /^#!(.*)/.exec(result)?.[1];
  return shebang === undefined ? { text: result } : { text: result, shebang };
}

/** The view that files are placed in. */
export interface PythonPlacing {
  readonly tree: FileTree;
  readonly prefixes: ReadonlyMap<string, string>;
  readonly scriptPath: string;
  readonly notices: string[];
}

/**
 * Decides for the files that one package shows in the view.
 * @param files the package's files by path in the view
 * @param prefixes prefixes of the packages in the view, by hash
 * @param scriptPath the projection's path as scripts are to name it, absolute
 * @param notices gets a sentence for each file that should have been rewritten but whose text is not known
 * @returns placements by path in the view; files that are not in it are linked
 */
export function placePythonFiles(
  viewPackage: ViewPackage,
  files: ReadonlyMap<string, MergedFile>,
  { tree, prefixes, scriptPath, notices }: PythonPlacing,
): ReadonlyMap<string, ViewPlacement> {
  const placements = new Map<string, ViewPlacement>();
  const { spec, prefix } = viewPackage;
  if (spec.name === "python-venv") {
    for (const [path, file] of files) {
      if (!baseName(path).toLowerCase().startsWith("activate")) continue;
      placements.set(path, rewriteFile(file, tree, { from: prefix, to: scriptPath, notices }));
    }
    return placements;
  }
  if (extendedPython(viewPackage, tree) === undefined) return placements;
  const interpreter = runtimeDependency(spec, "python-venv") ?? runtimeDependency(spec, "python");
  const interpreterPrefix = interpreter === undefined ? undefined : prefixes.get(interpreter.hash);
  if (interpreterPrefix === undefined) return placements;

  const bin = `${imagePath(prefix)}/bin/`;
  const copies = new Map<string, string>();
  const links: [string, MergedFile][] = [];
  for (const [path, file] of files) {
    if (!file.source.startsWith(bin)) continue;
    if (file.entry.type === "symlink") {
      links.push([path, file]);
      continue;
    }
    const identity = tree.identity(file.source);
    const content = identity === undefined ? undefined : tree.at(identity);
    if (identity === undefined || content?.shebang === undefined || (content.mode & 0o111) === 0) continue;
    const placement = rewriteFile(file, tree, { from: interpreterPrefix, to: scriptPath, notices });
    placements.set(path, placement);
    if (placement.kind === "rewrite") copies.set(identity, path);
  }
  for (const [path, file] of links) {
    const identity = tree.identity(file.source);
    const copy = identity === undefined ? undefined : copies.get(identity);
    if (copy !== undefined) placements.set(path, { kind: "relative-link", target: relativeLink(path, copy) });
  }
  return placements;
}

/** Which prefix is replaced by which. */
interface Rewriting {
  readonly from: string;
  readonly to: string;
  readonly notices: string[];
}

function rewriteFile(file: MergedFile, tree: FileTree, { from, to, notices }: Rewriting): ViewPlacement {
  const identity = tree.identity(file.source);
  const content = identity === undefined ? undefined : tree.at(identity);
  if (content?.text === undefined) {
    notices.push(`/${file.source} is linked into the view, not rewritten for it: its text is not known`);
    return linked;
  }
  return { kind: "rewrite", mode: content.mode, ...rewritten(content.text, from, to) };
}

/** The text of a link at `path` that leads to `target`, both relative to the same directory. */
export function relativeLink(path: string, target: string): string {
  const from = path.split("/").slice(0, -1);
  const to = target.split("/");
  let common = 0;
  while (common < from.length && common < to.length - 1 && from[common] === to[common]) common++;
  return [...from.slice(common).map(() => ".."), ...to.slice(common)].join("/");
}

/**
 * The `pyvenv.cfg` that makes a view with a Python interpreter in it a virtual environment.
 * @param venvPath the projection's path, absolute
 * @returns undefined when the package has no interpreter in `bin`
 */
export function pyvenvConfig(python: ViewPackage, tree: FileTree, venvPath: string): string | undefined {
  const [major = "", minor = ""] = python.spec.version.split(".");
  const name = [`python${major}.${minor}`, `python${major}`, "python"].find((candidate) =>
    tree.exists(`${python.prefix}/bin/${candidate}`),
  );
  if (name === undefined) return undefined;
  const command = `${python.prefix}/bin/${name}`;
  return [
    `home = ${python.prefix}/bin`,
    "include-system-site-packages = false",
    `version = ${python.spec.version}`,
    `executable = ${command}`,
    `command = ${command} -m venv --without-pip ${venvPath}`,
    "",
  ].join("\n");
}
