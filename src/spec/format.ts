/** Prints specs as Spack does, so that the text parses to the same spec again. */
import { SpacktainersError } from "../util/errors.ts";
import type {
  AbstractEdge,
  AbstractSpec,
  ArchConstraint,
  Dialect,
  FlagConstraint,
  VariantConstraint,
} from "./abstract.ts";
import { legacyCompilerName } from "./compilerNames.ts";
import type { ConcreteSpec, DependencyType } from "./concrete.ts";
import { formatVersionSet, isAnyVersion } from "./versions.ts";

const typeOrder: readonly DependencyType[] = ["build", "link", "run", "test"];

/** Quotes around a value that could not be read back without. */
function quoted(value: string, dialect: Dialect): string {
  const plain = dialect === "0.x" ? /^[a-zA-Z0-9,/_.-]+\n?$/ : /^[a-zA-Z0-9,/_.\-[\]]+\n?$/;
  if (plain.test(value)) return value;
  if (!value.includes("'")) return `'${value}'`;
  // JSON, with everything outside ASCII escaped as Spack has it.
  return JSON.stringify(value).replaceAll(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** One variant: `+foo`, `~~foo`, `foo=a,b`, `foo:=a,b`, `foo==a`. */
export function formatVariant(variant: VariantConstraint, dialect: Dialect): string {
  const { name, kind, values, propagate, exact } = variant;
  if (kind === "bool") {
    const sigil = values[0] === true ? "+" : "~";
    return (propagate ? sigil + sigil : sigil) + name;
  }
  const colon = dialect === "1.x" && kind === "multi" && exact ? ":" : "";
  const short = name === "patches" && kind === "multi" && exact;
  const text =
    values.length === 0 ? "*" : values.map((v) => (short ? String(v).slice(0, 7) : String(v))).join(",");
  return `${name}${colon}${propagate ? "==" : "="}${quoted(text, dialect)}`;
}

/** All variants: the boolean ones first, each group by name. Others are set off by a space. */
export function formatVariants(variants: Iterable<VariantConstraint>, dialect: Dialect): string {
  const sorted = [...variants].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  let text = "";
  for (const variant of sorted) if (variant.kind === "bool") text += formatVariant(variant, dialect);
  for (const variant of sorted) if (variant.kind !== "bool") text += ` ${formatVariant(variant, dialect)}`;
  return text;
}

/** All compiler flags, with a space before each and, as Spack has it, one after the last. */
export function formatFlags(
  flags: Iterable<readonly [string, readonly FlagConstraint[]]>,
  dialect: Dialect,
): string {
  let text = "";
  const given = [...flags].filter(([, list]) => list.length > 0);
  for (const [kind, list] of given.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
    for (const propagate of [false, true]) {
      const chosen = list.filter((each) => each.propagate === propagate).map((each) => each.flag);
      if (chosen.length > 0) text += ` ${kind}${propagate ? "==" : "="}${quoted(chosen.join(" "), dialect)}`;
    }
  return text === "" ? "" : `${text} `;
}

function formatArch(arch: ArchConstraint | undefined, dialect: Dialect): string {
  if (arch === undefined) return "";
  const { platform, os, target } = arch;
  if (dialect === "0.x") return ` arch=${platform ?? "None"}-${os ?? "None"}-${target ?? "None"}`;
  return (
    (platform === undefined ? "" : ` platform=${platform}`) +
    (os === undefined ? "" : ` os=${os}`) +
    (target === undefined ? "" : ` target=${target}`)
  );
}

/** The node without its dependencies. */
export function formatNode(spec: AbstractSpec, dialect: Dialect, name = spec.name): string {
  return untrimmedNode(spec, dialect, name).trim();
}

function untrimmedNode(spec: AbstractSpec, dialect: Dialect, name: string | undefined): string {
  let text = name ?? "";
  if (!isAnyVersion(spec.versions)) text += `@${formatVersionSet(spec.versions)}`;
  if (spec.compiler !== undefined) {
    text += `%${spec.compiler.name}`;
    if (!isAnyVersion(spec.compiler.versions)) text += `@${formatVersionSet(spec.compiler.versions)}`;
  }
  text += formatFlags(spec.flags, dialect);
  text += formatVariants(spec.variants.values(), dialect);
  if (spec.name === undefined && spec.namespace !== undefined) text += ` namespace=${spec.namespace}`;
  text += formatArch(spec.arch, dialect);
  if (spec.hash !== undefined) text += `/${spec.hash}`;
  return text;
}

function typesText(types: ReadonlySet<DependencyType>): string {
  return `deptypes=${typeOrder.filter((type) => types.has(type)).join(",")}`;
}

/** 0.x: all dependencies by name, then by hash; `[attributes]` joined over the edges to the same node. */
function formatOldDependencies(spec: AbstractSpec): string {
  const edges = [...spec.dependencies].sort(
    (a, b) => compareText(a.spec.name, b.spec.name) || compareText(a.spec.hash, b.spec.hash),
  );
  return edges
    .map((edge) => {
      const attributes = [
        edge.types.size > 0 ? typesText(edge.types) : "",
        edge.virtuals.length > 0 ? `virtuals=${edge.virtuals.join(",")}` : "",
      ].filter((part) => part !== "");
      const prefix = attributes.length > 0 ? `[${attributes.join(" ")}] ` : "";
      return ` ^${`${prefix}${untrimmedNode(edge.spec, "0.x", edge.spec.name)}`.trim()}`;
    })
    .join("");
}

function compareText(a: string | undefined, b: string | undefined): number {
  const left = a ?? "";
  const right = b ?? "";
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A `*` where an anonymous dependency could be taken for something else without. */
function star(edge: AbstractEdge, text: string): string {
  const { spec } = edge;
  if (spec.name !== undefined) return "";
  if (edge.virtuals.length > 0) return "*";
  if (text.startsWith("@")) return "";
  if (spec.flags.size > 0) return "*";
  for (const variant of spec.variants.values())
    if (variant.kind === "bool") return spec.arch === undefined ? "" : "*";
  return "*";
}

function formatEdge(edge: AbstractEdge, sigil: string, name: string | undefined): string {
  const node = formatNode(edge.spec, "1.x", name);
  const attributes = [
    edge.when === undefined ? "" : `when='${describeSpec(edge.when, "1.x")}'`,
    edge.types.size > 0 ? typesText(edge.types) : "",
  ].filter((part) => part !== "");
  const prefix = attributes.length > 0 ? `[${attributes.join(" ")}] ` : "";
  const virtuals = edge.virtuals.length > 0 ? `${edge.virtuals.join(",")}=` : "";
  return `${sigil}${prefix}${star(edge, node)}${virtuals}${node}`;
}

/** 1.x: direct dependencies by name, then the others by name, each with its own direct dependencies. */
function formatDependencies(spec: AbstractSpec): string {
  const sorted = [...spec.dependencies].sort((a, b) => compareText(a.spec.name, b.spec.name));
  const parts: string[] = [];
  for (const edge of sorted)
    if (edge.direct) {
      const name = edge.spec.name === undefined ? undefined : legacyCompilerName(edge.spec.name);
      parts.push(formatEdge(edge, edge.propagation === "preference" ? "%%" : "%", name));
    }
  for (const edge of sorted)
    if (!edge.direct) {
      parts.push(formatEdge(edge, "^", edge.spec.name));
      if (edge.spec.dependencies.length > 0) parts.push(formatDependencies(edge.spec));
    }
  return parts.join(" ").trim();
}

/**
 * The spec in Spack's own form, which parses to the same spec.
 * @throws SpacktainersError SPEC_SYNTAX for the few specs of 0.x that Spack reads but cannot print: a dependency without
 *   a name beside others, or two to one package of which one has a hash
 */
export function formatSpec(spec: AbstractSpec, dialect: Dialect): string {
  if (dialect === "0.x" && !isPrintable(spec.dependencies))
    throw new SpacktainersError(
      "SPEC_SYNTAX",
      `the dependencies of "${describeSpec(spec, dialect)}" cannot be told apart`,
      {
        hint: "name the package after each ^",
      },
    );
  return describeSpec(spec, dialect);
}

/** True if 0.x can sort the dependencies, by name and then by hash. */
function isPrintable(edges: readonly AbstractEdge[]): boolean {
  const hashes = new Map<string | undefined, boolean>();
  for (const { spec } of edges) {
    const known = hashes.get(spec.name);
    if (known !== undefined && known !== (spec.hash !== undefined)) return false;
    hashes.set(spec.name, spec.hash !== undefined);
  }
  return hashes.size < 2 || !hashes.has(undefined);
}

/** Like {@link formatSpec}, but for every spec: for messages. */
export function describeSpec(spec: AbstractSpec, dialect: Dialect): string {
  const node = formatNode(spec, dialect);
  if (spec.dependencies.length === 0) return node;
  if (dialect === "0.x") return `${node}${formatOldDependencies(spec)}`.trim();
  return `${node} ${formatDependencies(spec)}`.trim();
}

/** The variants of a concrete node as constraints. */
export function concreteVariants(spec: ConcreteSpec): readonly VariantConstraint[] {
  return [...spec.variants].map(([name, value]) => ({
    name,
    kind: typeof value === "boolean" ? "bool" : typeof value === "string" ? "single" : "multi",
    values: typeof value === "object" ? value : [value],
    propagate: false,
    exact: true,
  }));
}

/** The dialect in which Spack prints the nodes of a spec file version. */
export function dialectOf(specfileVersion: number): Dialect {
  return specfileVersion <= 4 ? "0.x" : "1.x";
}

/** A node of a concrete DAG in Spack's form, without its dependencies: `zlib@1.2.13%gcc@12.2.0+pic arch=…`. */
export function formatConcrete(spec: ConcreteSpec): string {
  const dialect = dialectOf(spec.specfileVersion);
  const { platform, os, target } = spec;
  const compiler = spec.compiler === undefined ? "" : `%${spec.compiler.name}@${spec.compiler.version}`;
  const flags = [...spec.flags].map(
    ([kind, list]) => [kind, list.map((flag) => ({ flag, propagate: false }))] as const,
  );
  const variants = formatVariants(concreteVariants(spec), dialect);
  const arch = formatArch({ platform, os, target }, dialect);
  return `${spec.name}@${spec.version}${compiler}${formatFlags(flags, dialect)}${variants}${arch}`;
}
