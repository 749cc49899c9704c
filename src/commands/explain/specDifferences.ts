/** In what two concrete specs of one package differ, in the order in which it matters to people. */
import { briefSpec, type ConcreteEdge, type ConcreteSpec, type SpecGraph } from "../../spec/concrete.ts";

/** Kinds of inputs, most telling first. */
export const inputKinds = [
  "version",
  "variant",
  "flags",
  "recipe",
  "compiler",
  "target",
  "os",
  "external",
  "dependency",
  "build",
] as const;

export type InputKind = (typeof inputKinds)[number];

/** One difference. */
export interface SpecDifference {
  readonly kind: InputKind;
  /** Name of the variant, of the flags or of the dependency. */
  readonly name?: string | undefined;
  /** Undefined if one of the two does not have it. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** A spec with the graph in which its dependencies are found. */
export interface SpecInGraph {
  readonly spec: ConcreteSpec;
  readonly graph: Pick<SpecGraph, "get">;
}

const compilerVirtuals: ReadonlySet<string> = new Set(["c", "cxx", "fortran"]);

/**
 * All differences between two specs of one package. Dependencies count as the same when their hashes are; those needed only
 * to build come last. Two specs of one hash have none.
 */
export function specDifferences(before: SpecInGraph, after: SpecInGraph): readonly SpecDifference[] {
  const [a, b] = [before.spec, after.spec];
  if (a.hash === b.hash) return [];
  const found: SpecDifference[] = [];
  const compare = (kind: InputKind, x: string | undefined, y: string | undefined, name?: string): void => {
    if (x !== y) found.push({ kind, before: x, after: y, name });
  };
  compare("version", a.version, b.version);
  for (const name of sortedKeys(a.variants, b.variants))
    compare("variant", variantText(a, name), variantText(b, name), name);
  for (const name of sortedKeys(a.flags, b.flags))
    compare(
      "flags",
      a.flags.get(name)?.join(" ") || undefined,
      b.flags.get(name)?.join(" ") || undefined,
      name,
    );
  compare("recipe", recipeText(a), recipeText(b));
  const compilersDiffer = compilerText(before) !== compilerText(after);
  compare("compiler", compilerText(before), compilerText(after));
  compare("target", a.target, b.target);
  compare("os", `${a.platform}-${a.os}`, `${b.platform}-${b.os}`);
  compare("external", externalText(a), externalText(b));
  for (const kind of ["dependency", "build"] as const) {
    const mine = edgesByName(before, kind);
    const theirs = edgesByName(after, kind);
    for (const name of sortedKeys(mine, theirs)) {
      const x = mine.get(name);
      const y = theirs.get(name);
      // Said already.
      if (compilersDiffer && [...(x ?? []), ...(y ?? [])].some(isCompiler)) continue;
      if (x?.map((edge) => edge.hash).join() !== y?.map((edge) => edge.hash).join())
        found.push({ kind, name, before: edgeText(x, before.graph), after: edgeText(y, after.graph) });
    }
  }
  return found;
}

/** A difference and the dependencies that lead to it: empty when it is of the package itself. */
export interface RootCause {
  readonly path: readonly string[];
  readonly difference: SpecDifference;
}

/**
 * The first input in which two specs differ. When that is a dependency, the first one in which the dependency differs, and so
 * on down: what really changed. Undefined for specs of one hash, and where graphs do not know enough to tell.
 */
export function firstDifference(before: SpecInGraph, after: SpecInGraph): RootCause | undefined {
  const path: string[] = [];
  let [a, b] = [before, after];
  const seen = new Set<string>();
  for (;;) {
    const [first] = specDifferences(a, b);
    if (first === undefined) return undefined;
    const down =
      first.kind === "dependency" || first.kind === "build"
        ? dependencyPair(a, b, first.name ?? "")
        : undefined;
    if (down === undefined || seen.has(down[0].spec.hash)) return { path, difference: first };
    seen.add(down[0].spec.hash);
    path.push(down[0].spec.name);
    [a, b] = down;
    if (specDifferences(a, b).length === 0) return { path: path.slice(0, -1), difference: first };
  }
}

/** The two configurations of a dependency, where each has exactly one. */
function dependencyPair(
  a: SpecInGraph,
  b: SpecInGraph,
  name: string,
): readonly [SpecInGraph, SpecInGraph] | undefined {
  const one = ({ spec, graph }: SpecInGraph): SpecInGraph | undefined => {
    const [edge, other] = spec.dependencies.filter((each) => each.name === name);
    const found = edge === undefined || other !== undefined ? undefined : graph.get(edge.hash);
    return found === undefined ? undefined : { spec: found, graph };
  };
  const [mine, theirs] = [one(a), one(b)];
  return mine === undefined || theirs === undefined ? undefined : [mine, theirs];
}

/** A difference in words: `version 1.2.13 → 1.3.1`, `+pic → ~pic`, `dependency zlib@1.2/abc → none`. */
export function differenceText({ kind, name, before, after }: SpecDifference): string {
  const change = `${before ?? "none"} → ${after ?? "none"}`;
  switch (kind) {
    case "variant":
      return before !== undefined && after !== undefined ? change : `variant ${name}: ${change}`;
    case "flags":
      return `${name} ${change}`;
    case "build":
      return `built with ${change}`;
    default:
      return `${kind} ${change}`;
  }
}

function sortedKeys<T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>): readonly string[] {
  return [...new Set([...a.keys(), ...b.keys()])].sort();
}

function variantText(spec: ConcreteSpec, name: string): string | undefined {
  const value = spec.variants.get(name);
  if (value === undefined) return undefined;
  if (typeof value === "boolean") return `${value ? "+" : "~"}${name}`;
  const values = typeof value === "string" ? [value] : [...value].sort();
  return `${name}=${(name === "patches" ? values.map((each) => each.slice(0, 7)) : values).join(",")}`;
}

function recipeText(spec: ConcreteSpec): string | undefined {
  const namespace = spec.namespace === undefined ? "" : `${spec.namespace}.${spec.name}`;
  return spec.packageHash === undefined
    ? namespace || undefined
    : `${namespace}/${spec.packageHash.slice(0, 7)}`;
}

function isCompiler({ virtuals }: ConcreteEdge): boolean {
  return virtuals.some((virtual) => compilerVirtuals.has(virtual));
}

/** The node's own compiler; in Spack 1.x the direct dependencies that provide the languages. */
function compilerText({ spec, graph }: SpecInGraph): string | undefined {
  if (spec.compiler !== undefined) return `${spec.compiler.name}@${spec.compiler.version}`;
  const compilers = spec.dependencies.filter(isCompiler).map((edge) => {
    const node = graph.get(edge.hash);
    return node === undefined ? edge.name : `${node.name}@${node.version}`;
  });
  const text = [...new Set(compilers)].sort().join(", ");
  return text === "" ? spec.annotations?.compiler : text;
}

function externalText({ external }: ConcreteSpec): string | undefined {
  return external === undefined ? undefined : (external.path ?? external.modules.join(" "));
}

function edgesByName(
  { spec }: SpecInGraph,
  kind: "dependency" | "build",
): ReadonlyMap<string, readonly ConcreteEdge[]> {
  const byName = new Map<string, ConcreteEdge[]>();
  for (const edge of spec.dependencies) {
    const runtime = edge.types.has("link") || edge.types.has("run");
    if (runtime !== (kind === "dependency")) continue;
    const same = byName.get(edge.name) ?? [];
    same.push(edge);
    byName.set(edge.name, same);
  }
  for (const edges of byName.values()) edges.sort((a, b) => (a.hash < b.hash ? -1 : 1));
  return byName;
}

function edgeText(
  edges: readonly ConcreteEdge[] | undefined,
  graph: SpecInGraph["graph"],
): string | undefined {
  return edges
    ?.map(({ hash, name }) => {
      const node = graph.get(hash);
      return node === undefined ? `${name}/${hash.slice(0, 7)}` : briefSpec(node);
    })
    .join(", ");
}
