/** The environment variables of a view: what `spack env activate` sets (`docs/formats.md`, "Environment variables"). */
import { type Closure, runtimeClosure, runtimeTypes, topologicalOrder } from "../spec/closure.ts";
import { briefSpec, type ConcreteSpec, type DagHash, type SpecGraph } from "../spec/concrete.ts";
import { type EnvironmentModification, normalEntry } from "./environmentModification.ts";
import type { FileTree } from "./fileTree.ts";
import { type RecipeContext, recipeEffects } from "./recipeEffects.ts";
import { dynamicRecipes } from "./recipeRules.ts";
import { specTester } from "./specTester.ts";
import { usedPackages } from "./useModes.ts";

/** Folders of a prefix and the variables they go to, in Spack's order. The empty folder is the prefix itself. */
export const defaultInspections: readonly (readonly [folder: string, variable: string])[] = [
  ["bin", "PATH"],
  ["man", "MANPATH"],
  ["share/man", "MANPATH"],
  ["share/aclocal", "ACLOCAL_PATH"],
  ["lib/pkgconfig", "PKG_CONFIG_PATH"],
  ["lib64/pkgconfig", "PKG_CONFIG_PATH"],
  ["share/pkgconfig", "PKG_CONFIG_PATH"],
  ["", "CMAKE_PREFIX_PATH"],
];

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
  readonly projectionOf?: (spec: ConcreteSpec) => string;
  /** Changes the manifest asks for, made first. */
  readonly manifest?: readonly EnvironmentModification[];
  /** Whether a spec satisfies a constraint of a rule; default: by the graph. */
  readonly satisfies?: (spec: ConcreteSpec, constraint: string) => boolean;
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
    for (const [folder, name] of defaultInspections)
      changes.push({ kind: "prepend", name, value: folder === "" ? viewPath : `${viewPath}/${folder}` });

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
  return defaultInspections.flatMap(([folder, name]) => {
    const path = folder === "" ? prefix : `${prefix}/${folder}`;
    return options.tree.isDirectory(path) ? [{ kind: "prepend", name, value: path } as const] : [];
  });
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
  const context: RecipeContext = {
    prefixOf: (spec) => prefixOf(spec, options),
    dependency: (spec, name) => findDependency(graph, spec, name),
    exists: (path) => tree.exists(path),
    satisfies: options.satisfies ?? specTester(graph),
  };
  const changes: EnvironmentModification[] = [];
  for (const wanted of [true, false])
    for (const { spec, runnable } of used) {
      if ((spec.external !== undefined) !== wanted) continue;
      const prefix = prefixOf(spec, options);
      if (prefix === undefined) continue;
      if (runnable)
        for (const folder of ["bin", "bin64"])
          if (tree.isDirectory(`${prefix}/${folder}`))
            changes.push({ kind: "prepend", name: "PATH", value: `${prefix}/${folder}` });
      changes.push(...recipeEffects(spec, dependents.get(spec.hash) ?? [], context));
      if (changesUnknown(spec))
        notices.push(
          `the recipe of ${briefSpec(spec)} changes the environment in a way that is not known here; add what is missing to env_vars of the manifest`,
        );
    }
  return changes;
}

function changesUnknown(spec: ConcreteSpec): boolean {
  if (spec.name.startsWith("intel-oneapi-")) return spec.variants.get("envmods") === true;
  return dynamicRecipes.has(spec.name);
}

/** The dependency of a name, direct ones first. */
function findDependency(graph: SpecGraph, spec: ConcreteSpec, name: string): ConcreteSpec | undefined {
  const direct = spec.dependencies.find((edge) => edge.name === name);
  if (direct !== undefined) return graph.get(direct.hash);
  return topologicalOrder(graph, [spec.hash], runtimeTypes).find((one) => one.name === name);
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
