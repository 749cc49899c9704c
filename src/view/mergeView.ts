/** The merged view of many packages, from their inventories alone. */

import { createHash } from "node:crypto";
import { parentPath } from "../archive/names.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";
import { SpacktainersError } from "../util/errors.ts";
import { FileTree, imagePath } from "./fileTree.ts";
import { type MergedFile, type MergedTree, PrefixMerger } from "./mergePrefixes.ts";
import { extendedPython, placePythonFiles, pyvenvConfig, type ViewPlacement } from "./pythonView.ts";
import type { MergedView, ViewEntry, ViewOptions, ViewPackage } from "./types.ts";
import { withoutRepeatedRuntimes } from "./viewPackages.ts";

const metadataFolder = ".spack";

/**
 * Merges packages into one view as Spack does.
 *
 * Differences from Spack, all wanted: rewritten scripts and `pyvenv.cfg` name the public path of the view, not the hidden
 * folder behind it; the public path is a relative link; whether a package extends Python is seen from its dependencies
 * and files ({@link extendedPython}), because recipes are not available.
 *
 * @param packages the runtime closure without externals, in view order (dependents before dependencies)
 * @param options see {@link ViewOptions}
 * @param tree the packages' files, when the caller has them already; other files in it do no harm
 * @throws SpacktainersError `VIEW_CONFLICT` when a file would have to be where a directory is, or when two packages of one
 * name go to one place; `DEFINITION_INVALID` for a projection that leaves the view
 */
export function mergeView(
  packages: readonly ViewPackage[],
  options: ViewOptions,
  tree: FileTree = new FileTree(packages.map((one) => one.inventory)),
): MergedView {
  const shown = withoutRepeatedRuntimes(
    packages.filter((one) => one.spec.external === undefined && (options.includes?.(one.spec) ?? true)),
  );
  const projections = projectAll(shown, options, tree);
  refuseSamePlace(shown, projections);

  const merger = new PrefixMerger(tree, metadataFolder);
  for (const one of shown) merger.add(one, one.prefix, projections.get(one) ?? "");
  const merged = merger.result();

  const notices: string[] = [];
  if (options.linkType === "copy")
    notices.push("the view asks for copies (link_type: copy); in an image it has symbolic links");
  const realPath = realViewPath(shown, options);
  const entries = new Map<string, ViewEntry>();
  const put = (path: string, entry: Omit<ViewEntry, "path">): void => {
    const full = `${imagePath(realPath)}/${path}`;
    entries.set(full, { path: full, ...entry });
  };
  for (const path of merged.directories.keys()) put(path, { type: "directory", mode: 0o755, size: 0 });
  placeFiles(shown, merged, { projections, options, tree, notices, put });
  if (options.metadata) placeMetadata(shown, { projections, options, tree, put });
  addFrame(entries, realPath, options);
  return {
    entries: [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)),
    realPath,
    viewPath: options.viewPath,
    packages: shown,
    conflicts: merged.shadows,
    notices,
  };
}

type Put = (path: string, entry: Omit<ViewEntry, "path">) => void;

/** What a view is put together from. */
interface ViewPlacing {
  readonly projections: ReadonlyMap<ViewPackage, string>;
  readonly options: ViewOptions;
  readonly tree: FileTree;
  readonly notices: string[];
  readonly put: Put;
}

/** Links or rewrites the merged files, package by package, with what Python's recipes do after their own turn. */
function placeFiles(
  shown: readonly ViewPackage[],
  merged: MergedTree,
  { projections, options, tree, notices, put }: ViewPlacing,
): void {
  const byPackage = new Map<ViewPackage, Map<string, MergedFile>>();
  for (const [path, file] of merged.files) {
    const files = byPackage.get(file.package);
    if (files === undefined) byPackage.set(file.package, new Map([[path, file]]));
    else files.set(path, file);
  }
  const prefixes = new Map(shown.map((one) => [one.spec.hash as string, one.prefix]));
  const scriptRoot = options.scriptPath ?? options.viewPath;
  const written = new Set<string>();
  for (const one of shown) {
    const files = byPackage.get(one);
    if (files === undefined) continue;
    const projection = projections.get(one) ?? "";
    const scriptPath = projection === "" ? scriptRoot : `${scriptRoot}/${projection}`;
    const placements = placePythonFiles(one, files, { tree, prefixes, scriptPath, notices });
    for (const [path, file] of files) {
      put(path, placedEntry(file, placements.get(path), options, tree));
      written.add(path);
    }
    if (one.spec.name === "python" && options.linkType !== "copy") {
      const path = projection === "" ? "pyvenv.cfg" : `${projection}/pyvenv.cfg`;
      const text = written.has(path) ? undefined : pyvenvConfig(one, tree, scriptPath);
      if (text !== undefined && !merged.files.has(path)) put(path, fileEntry(text, 0o644));
    }
  }
}

function placedEntry(
  file: MergedFile,
  placement: ViewPlacement | undefined,
  options: ViewOptions,
  tree: FileTree,
): Omit<ViewEntry, "path"> {
  if (placement?.kind === "rewrite") return fileEntry(placement.text, placement.mode, placement.shebang);
  if (placement?.kind === "relative-link")
    return { type: "symlink", mode: 0o777, size: 0, target: placement.target };
  if (options.linkType !== "hardlink")
    return { type: "symlink", mode: 0o777, size: 0, target: `/${file.source}` };
  // A hard link to a symbolic link is another link with the same text.
  if (file.entry.type === "symlink")
    return { type: "symlink", mode: 0o777, size: 0, target: file.entry.target ?? "" };
  const identity = tree.identity(file.source) ?? file.source;
  return { type: "hardlink", mode: file.entry.mode, size: 0, target: identity };
}

function fileEntry(text: string, mode: number, shebang?: string): Omit<ViewEntry, "path"> {
  const content = Buffer.from(text, "latin1");
  const entry = { type: "file", mode, size: content.length, content, text } as const;
  return shebang === undefined ? entry : { ...entry, shebang };
}

/** What metadata are put into. */
interface MetadataPlacing {
  readonly projections: ReadonlyMap<ViewPackage, string>;
  readonly options: ViewOptions;
  readonly tree: FileTree;
  readonly put: Put;
}

/** Adds every package's `.spack` folder as `.spack/<name>` of its projection. */
function placeMetadata(
  shown: readonly ViewPackage[],
  { projections, options, tree, put }: MetadataPlacing,
): void {
  const merger = new PrefixMerger(tree);
  for (const one of shown) {
    const projection = projections.get(one) ?? "";
    const place = `${metadataFolder}/${one.spec.name}`;
    merger.add(one, `${one.prefix}/${metadataFolder}`, projection === "" ? place : `${projection}/${place}`);
  }
  const merged = merger.result();
  const clash = merged.shadows[0];
  if (clash !== undefined)
    throw new SpacktainersError(
      "VIEW_CONFLICT",
      `${clash.path} of the view would be two files: ${clash.winner} and ${clash.losers[0] ?? ""}`,
    );
  for (const path of merged.directories.keys()) put(path, { type: "directory", mode: 0o755, size: 0 });
  for (const [path, file] of merged.files) put(path, placedEntry(file, undefined, options, tree));
}

/** The directories above the view and, in the layout `link`, the public link to the real directory. */
function addFrame(entries: Map<string, ViewEntry>, realPath: string, options: ViewOptions): void {
  const add = (entry: ViewEntry): void => {
    if (!entries.has(entry.path)) entries.set(entry.path, entry);
  };
  for (let path = imagePath(realPath); path !== ""; path = parentPath(path))
    add({ path, type: "directory", mode: 0o755, size: 0 });
  if (options.layout === "link") {
    const path = imagePath(options.viewPath);
    add({ path, type: "symlink", mode: 0o777, size: 0, target: relativeLinkTo(path, realPath) });
  }
}

function relativeLinkTo(path: string, realPath: string): string {
  const parent = parentPath(path);
  const real = imagePath(realPath);
  return parent === "" ? real : real.slice(parent.length + 1);
}

/** Where the files of the view lie: the view path itself, or `._<name>/<hash>` beside it. */
function realViewPath(shown: readonly ViewPackage[], options: ViewOptions): string {
  if (!/^(\/[^/]+)+$/.test(options.viewPath) || /(^|\/)\.\.?(\/|$)/.test(options.viewPath))
    throw new SpacktainersError(
      "DEFINITION_INVALID",
      `the view path ${JSON.stringify(options.viewPath)} is not an absolute path`,
    );
  if (options.layout === "plain") return options.viewPath;
  const slash = options.viewPath.lastIndexOf("/");
  const name = options.viewPath.slice(slash + 1);
  return `${options.viewPath.slice(0, slash)}/._${name}/${viewHash(shown, options)}`;
}

/** Names a view by what it is made of: 32 characters that change when a package, a prefix or an option does. */
function viewHash(shown: readonly ViewPackage[], options: ViewOptions): string {
  const parts = shown.map((one) => [one.spec.hash, one.prefix, options.projectionOf?.(one.spec) ?? ""]);
  const description = [options.viewPath, options.linkType, options.metadata, parts];
  const digest = createHash("sha256").update(JSON.stringify(description)).digest();
  let text = "";
  for (let index = 0; index < 32; index++)
    text += "abcdefghijklmnopqrstuvwxyz234567"[(digest[index] ?? 0) & 31];
  return text;
}

/** The projection of every package; extensions go where the interpreter they extend goes. */
function projectAll(
  shown: readonly ViewPackage[],
  options: ViewOptions,
  tree: FileTree,
): ReadonlyMap<ViewPackage, string> {
  const { projectionOf } = options;
  if (projectionOf === undefined) return new Map();
  const specs = new Map<string, ConcreteSpec>(shown.map((one) => [one.spec.hash, one.spec]));
  return new Map(
    shown.map((one) => {
      const extended = extendedPython(one, tree);
      const spec = (extended === undefined ? undefined : specs.get(extended.hash)) ?? one.spec;
      return [one, checkProjection(projectionOf(spec), spec)];
    }),
  );
}

function checkProjection(projection: string, spec: ConcreteSpec): string {
  const parts = projection.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes(".."))
    throw new SpacktainersError(
      "DEFINITION_INVALID",
      `the projection ${JSON.stringify(projection)} of ${spec.name} leaves the view`,
    );
  return parts.join("/");
}

function refuseSamePlace(shown: readonly ViewPackage[], projections: ReadonlyMap<ViewPackage, string>): void {
  const places = new Map<string, ViewPackage>();
  for (const one of shown) {
    const place = `${projections.get(one) ?? ""}\0${one.spec.name}`;
    const before = places.get(place);
    if (before !== undefined)
      throw new SpacktainersError(
        "VIEW_CONFLICT",
        `two packages named ${one.spec.name} would go to the same place of the view: ${before.prefix} and ${one.prefix}`,
        {
          hint: "make the environment choose one of them (concretizer: unify: true), exclude one from the view, or add projections",
        },
      );
    places.set(place, one);
  }
}
