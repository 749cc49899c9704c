/** The environment variables of a view: what `spack env activate` sets (`docs/formats.md`, "Environment variables"). */
import { posix } from "node:path";
import type { PrefixInspection } from "../environment/prefixInspections.ts";
import { type Closure, runtimeClosure, runtimeTypes, topologicalOrder } from "../spec/closure.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";
import { type EnvironmentModification, normalEntry } from "./environmentModification.ts";
import type { FileTree } from "./fileTree.ts";
import { missingRecipes, type OpenRecipes, recipeChanges } from "./recipeChanges.ts";
import { recipeFiles } from "./recipeFiles.ts";
import { specTester } from "./specTester.ts";
import { usedPackages } from "./useModes.ts";

const systemPrefixes: ReadonlySet<string> = new Set(["/", "/usr", "/usr/local"]);

export interface ViewEnvironmentOptions {
  readonly graph: SpecGraph;
  /** Roots of the environment. */
  readonly roots: readonly DagHash[];
  /** Absolute prefixes of the packages in the image, by hash. */
  readonly prefixes: ReadonlyMap<DagHash, string>;
  /** The image's files; at least those of the packages. */
  readonly tree: FileTree;
  /** Public path of the view; undefined when the environment has none: values then name the prefixes. */
  readonly viewPath: string | undefined;
  /** Folder in the view a package goes to (see `ViewOptions`). */
  readonly projectionOf?: ((spec: ConcreteSpec) => string) | undefined;
  /** Which folders, of the view and of packages, go to which variables. */
  readonly inspections: readonly PrefixInspection[];
  /** Changes the manifest asks for, made first. */
  readonly manifest?: readonly EnvironmentModification[];
  /** The recipes by package, and what reads them; without that: there are none that change the environment. */
  readonly recipes: { readonly texts: ReadonlyMap<string, string>; readonly open: OpenRecipes | undefined };
}

/** The changes in order, and what could not be known. */
export interface ViewEnvironment {
  readonly modifications: readonly EnvironmentModification[];
  readonly notices: readonly string[];
}

/**
 * Computes the changes that make the packages of a view usable.
 *
 * The order is Spack's: manifest, the view's own folders, folders of packages (dependencies first, so that dependents
 * come to stand before them), then what recipes do (externals first). Unlike Spack, packages of the system (external at
 * `/`, `/usr`, `/usr/local`) add nothing: their folders are searched anyway.
 */
export function viewEnvironment(options: ViewEnvironmentOptions): ViewEnvironment {
  const { graph, roots, viewPath } = options;
  const closure = runtimeClosure(graph, roots);
  const project = projector(options, closure);
  const changes: EnvironmentModification[] = [...(options.manifest ?? [])];
  if (viewPath !== undefined)
    for (const [folder, name] of options.inspections)
      changes.push({ kind: "prepend", name, value: folderOf(viewPath, folder) });

  const found: EnvironmentModification[] = [];
  for (const spec of [...topologicalOrder(graph, roots, runtimeTypes)].reverse())
    found.push(...inspectPrefix(spec, options));
  const notices: string[] = [];
  found.push(...dynamicChanges(options, notices));
  for (const change of found)
    changes.push("value" in change ? { ...change, value: project(change.value) } : change);
  return { modifications: changes, notices };
}

/** Where a package is: its prefix in the image, or the path of an external that is not the system itself. */
function prefixOf(spec: ConcreteSpec, options: ViewEnvironmentOptions): string | undefined {
  if (spec.external === undefined) return options.prefixes.get(spec.hash);
  const path = spec.external.path;
  if (path?.startsWith("/") !== true) return undefined;
  const clean = normalEntry(path);
  return systemPrefixes.has(clean) ? undefined : clean;
}

function inspectPrefix(spec: ConcreteSpec, options: ViewEnvironmentOptions): EnvironmentModification[] {
  const prefix = prefixOf(spec, options);
  if (prefix === undefined) return [];
  return options.inspections.flatMap(([folder, name]) => {
    const value = folderOf(prefix, folder);
    return options.tree.isDirectory(posix.normalize(value))
      ? [{ kind: "prepend", name, value } as const]
      : [];
  });
}

/** The path of an inspected folder. What leads out of a prefix (`../x`) does so from its place in the view, too. */
function folderOf(prefix: string, folder: string): string {
  const clean = normalEntry(folder);
  if (clean.startsWith("/")) return clean;
  return clean === "." ? prefix : `${prefix}/${clean}`;
}

/** What the recipes do, externals first, then from the leaves to the roots. */
function dynamicChanges(options: ViewEnvironmentOptions, notices: string[]): EnvironmentModification[] {
  const { graph, roots, tree } = options;
  const used = [...usedPackages(graph, roots)].reverse();
  const inClosure = new Set(used.map((one) => one.spec.hash));
  const dependents = new Map<DagHash, ConcreteSpec[]>();
  for (const { spec } of used)
    for (const edge of spec.dependencies)
      if ((edge.types.has("link") || edge.types.has("run")) && inClosure.has(edge.hash)) {
        const list = dependents.get(edge.hash);
        if (list === undefined) dependents.set(edge.hash, [spec]);
        else list.push(spec);
      }
  const ordered = [true, false].flatMap((external) =>
    used.filter(({ spec }) => (spec.external !== undefined) === external),
  );
  const recipes = options.recipes.open?.({
    graph,
    order: ordered.map(({ spec }) => spec),
    satisfies: specTester(graph),
    prefixOf: (spec) => options.prefixes.get(spec.hash) ?? spec.external?.path,
    recipeOf: (name) => options.recipes.texts.get(name),
    files: recipeFiles(tree),
  });
  const changes: EnvironmentModification[] = [];
  const found = new Set<string>();
  for (const { spec, runnable } of ordered) {
    const prefix = prefixOf(spec, options);
    if (prefix === undefined) continue;
    if (runnable)
      for (const folder of ["bin", "bin64"])
        if (tree.isDirectory(`${prefix}/${folder}`))
          changes.push({ kind: "prepend", name: "PATH", value: `${prefix}/${folder}` });
    if (recipes === undefined) continue;
    for (const dependent of dependents.get(spec.hash) ?? [])
      changes.push(...recipeChanges(spec, recipes.forDependent(spec, dependent), found));
    changes.push(...recipeChanges(spec, recipes.own(spec), found));
  }
  const here = ordered.map(({ spec }) => spec).filter((spec) => prefixOf(spec, options) !== undefined);
  notices.push(...found, ...missingRecipes(here, options.recipes.texts));
  return changes;
}

/** Replaces prefixes of packages by their places in the view, wherever they occur in a value. */
function projector(options: ViewEnvironmentOptions, closure: Closure): (value: string) => string {
  const { viewPath, prefixes, projectionOf } = options;
  if (viewPath === undefined) return (value) => value;
  const places = closure.packages.flatMap((spec) => {
    const prefix = prefixes.get(spec.hash);
    const projection = projectionOf?.(spec) ?? "";
    return prefix === undefined
      ? []
      : [[prefix, projection === "" ? viewPath : `${viewPath}/${projection}`] as const];
  });
  // Longest first, so that a prefix never hides another one that starts with it.
  places.sort(([a], [b]) => b.length - a.length || (a < b ? -1 : 1));
  return (value) => {
    let rest = value;
    let done = "";
    while (rest !== "") {
      let at = rest.length;
      let match: readonly [string, string] | undefined;
      for (const place of places) {
        const index = rest.indexOf(place[0]);
        if (index >= 0 && index < at) {
          at = index;
          match = place;
        }
      }
      if (match === undefined) return done + rest;
      done += rest.slice(0, at) + match[1];
      rest = rest.slice(at + match[0].length);
    }
    return done;
  };
}
