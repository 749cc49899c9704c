/**
 * Spack's format strings as paths below an install tree or a view.
 * Format: `docs/formats.md`, "Projections".
 */
import { SpacktainersError } from "../util/errors.ts";
import { type CompilerName, compilerOf } from "./compilerOf.ts";
import type { ConcreteEdge, ConcreteSpec, DagHash, SpecGraph } from "./concrete.ts";
import { concreteVariants, dialectOf, formatFlags, formatVariant, formatVariants } from "./format.ts";
import { familyOf } from "./microarchitecture.ts";

/** The default projection of the install tree of the Spack generation that writes this version of spec files. */
export function defaultProjection(specfileVersion: number): string {
  return specfileVersion <= 4
    ? "{architecture}/{compiler.name}-{compiler.version}/{name}-{version}-{hash}"
    : "{architecture.platform}-{architecture.target}/{name}-{version}-{hash}";
}

/** Projections longer than this are refused. */
const maximumLength = 4096;

/** An escaped character; or `{`, a sigil, a dependency, a hash with a length or an attribute, `}`; or a lone `}`. */
const formatPattern =
  /\\(.)|\{( ?[%@/]|[\w ][\w -]*=)?(?:\^([^}.]+)\.)?(?:(hash\b)(?::(\d+))?|([^}]*))(\})?|(\})/gis;

function bad(projection: string, what: string): SpacktainersError {
  return new SpacktainersError("CONFIG_INVALID", `the projection ${JSON.stringify(projection)} ${what}`, {
    hint: "for example {name}-{version}-{hash:7}",
  });
}

/** What Spack prints in place of each part of the compiler when nothing says what built the package. */
const noCompiler = "none";

/** Characters that Spack does not leave in names of files. */
function sanitised(component: string): string {
  return component.replaceAll(/[^A-Za-z0-9_+.-]/gu, "_");
}

/**
 * The relative path of a spec by a projection such as `{name}-{version}-{hash:7}`; every component sanitised as Spack
 * does. Empty when the projection yields nothing, which is the root of the tree. `{^dep.…}`, and `{compiler}` of specs
 * of version 5 and later, need the graph.
 * @throws SpacktainersError CONFIG_INVALID for a projection that is malformed, or leads out of the tree
 */
export function projectPath(spec: ConcreteSpec, projection: string, graph?: SpecGraph): string {
  if (projection.length > maximumLength) throw bad(`${projection.slice(0, 40)}…`, "is too long");
  if (projection.startsWith("/")) throw bad(projection, "must be relative");
  if (hasSlashBetweenBraces(projection)) throw bad(projection, "has a slash between braces");
  const components: string[] = [];
  for (const part of projection.split("/")) {
    if (part === "" || part === ".") continue;
    const component = sanitised(formatAttributes(spec, part, projection, graph));
    if (component === "" || component === ".") continue;
    if (component === "..") throw bad(projection, "leads out of the tree");
    components.push(component);
  }
  return components.join("/");
}

/** Whether a `/` or `\` stands between a `{` and the next `}`. */
function hasSlashBetweenBraces(projection: string): boolean {
  for (let open = projection.indexOf("{"); open >= 0; ) {
    const close = projection.indexOf("}", open);
    if (close < 0) return false;
    if (/[/\\]/.test(projection.slice(open, close))) return true;
    open = projection.indexOf("{", close);
  }
  return false;
}

function formatAttributes(
  spec: ConcreteSpec,
  format: string,
  projection: string,
  graph: SpecGraph | undefined,
): string {
  const text = format.replaceAll(
    formatPattern,
    (_all, escaped, sigil = "", dependency, hash, length, attribute, close, stray) => {
      if (escaped !== undefined) return escaped;
      if (stray !== undefined) throw bad(projection, "has a } without {");
      if (close === undefined) throw bad(projection, "has a { without }");
      const node = dependency === undefined ? spec : dependencyOf(spec, dependency, projection, graph);
      if (hash !== undefined) {
        if (sigil !== "" && sigil !== "/") throw bad(projection, `cannot have ${sigil} before a hash`);
        return sigil + node.hash.slice(0, length === undefined ? undefined : Number(length));
      }
      const value = attributeOf(node, String(attribute).toLowerCase(), { sigil, projection, graph });
      if (value === undefined || value === "") return "";
      return value === noCompiler ? value : sigil + value;
    },
  );
  return text.trim();
}

/** The dependency by name or virtual: direct build and test dependencies first, then the runtime closure breadth-first. */
function dependencyOf(
  spec: ConcreteSpec,
  name: string,
  projection: string,
  graph: SpecGraph | undefined,
): ConcreteSpec {
  const matches = (edge: ConcreteEdge) => edge.name === name || edge.virtuals.includes(name);
  const found = (edge: ConcreteEdge): ConcreteSpec => {
    const node = graph?.get(edge.hash);
    if (node === undefined)
      throw new SpacktainersError("INTERNAL", `the spec of ${edge.name} is not at hand`);
    return node;
  };
  if (spec.name === name) return spec;
  for (const edge of spec.dependencies)
    if ((edge.types.has("build") || edge.types.has("test")) && matches(edge)) return found(edge);
  const queue = [spec];
  const seen = new Set<DagHash>([spec.hash]);
  for (const node of queue) {
    const edges = node.dependencies.filter((edge) => edge.types.has("link") || edge.types.has("run"));
    for (const edge of edges.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (matches(edge)) return found(edge);
      if (seen.has(edge.hash)) continue;
      seen.add(edge.hash);
      queue.push(found(edge));
    }
  }
  throw bad(projection, `names ${name}, on which ${spec.name} does not depend`);
}

/** The compiler that built a package, if it is known. */
function compilerAtHand(spec: ConcreteSpec, graph: SpecGraph | undefined): CompilerName | undefined {
  const compiler = compilerOf(spec, graph);
  if (compiler !== undefined) return compiler;
  const edge = ["c", "cxx", "fortran"].flatMap(
    (language) => spec.dependencies.find((each) => each.virtuals.includes(language)) ?? [],
  )[0];
  if (edge !== undefined) throw new SpacktainersError("INTERNAL", `the spec of ${edge.name} is not at hand`);
  return undefined;
}

/** As Python prints the values of a variant. */
function pythonText(value: boolean | string | readonly string[]): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return value;
  return `(${value.map((each) => `'${each}'`).join(", ")}${value.length === 1 ? "," : ""})`;
}

/** Where an attribute is asked for. */
interface ProjectionPart {
  readonly sigil: string;
  readonly projection: string;
  readonly graph: SpecGraph | undefined;
}

function attributeOf(
  spec: ConcreteSpec,
  attribute: string,
  { sigil, projection, graph }: ProjectionPart,
): string | undefined {
  const [first = "", second, third, ...rest] = attribute.split(".");
  const last = third ?? second ?? first;
  if (sigil.trim() === "@" && last !== "version" && last !== "versions")
    throw bad(projection, `cannot have @ before ${attribute}`);
  if (sigil.trim() === "%" && attribute !== "compiler" && attribute !== "compiler.name")
    throw bad(projection, `cannot have % before ${attribute}`);
  if (sigil.trim() === "/") throw bad(projection, `cannot have / before ${attribute}`);
  const unknown = () => bad(projection, `has the unknown attribute {${attribute}}`);
  if (rest.length > 0) throw unknown();
  const dialect = dialectOf(spec.specfileVersion);
  if (first === "variants") {
    if (second === undefined) return formatVariants(concreteVariants(spec), dialect);
    const variant = concreteVariants(spec).find((each) => each.name === second);
    const value = spec.variants.get(second);
    if (variant === undefined || value === undefined) throw bad(projection, `needs the variant ${second}`);
    if (third === undefined) return formatVariant(variant, dialect);
    if (third === "name") return second;
    if (third === "value") return pythonText(value);
    throw unknown();
  }
  if (first === "architecture" || first === "arch") return archAttribute(spec, second, third, unknown);
  if (third !== undefined) throw unknown();
  if (first === "compiler") {
    const compiler = compilerAtHand(spec, graph);
    if (compiler === undefined) return noCompiler;
    if (second === undefined) {
      const { name, version, hash } = compiler;
      return hash === undefined ? `${name}@=${version}` : `${name}@${version}/${hash}`;
    }
    if (second === "name") return compiler.name;
    if (second === "version") return compiler.version;
    if (second === "versions") return `=${compiler.version}`;
    throw unknown();
  }
  if (second !== undefined) throw unknown();
  switch (first) {
    case "name":
      return spec.name;
    case "fullname":
      return spec.namespace === undefined ? spec.name : `${spec.namespace}.${spec.name}`;
    case "version":
      return spec.version;
    case "versions":
      return spec.version.startsWith("git.") ? spec.version : `=${spec.version}`;
    case "namespace":
      return spec.namespace;
    case "platform":
      return spec.platform;
    case "os":
      return spec.os;
    case "target":
      return spec.target;
    case "compiler_flags":
      return formatFlags(
        [...spec.flags].map(
          ([kind, list]) => [kind, list.map((flag) => ({ flag, propagate: false }))] as const,
        ),
        dialect,
      );
    case "specfile_version":
      return `v${spec.annotations?.originalSpecfileVersion ?? spec.specfileVersion}`;
    case "namespace_if_anonymous":
    case "abstract_hash":
      return undefined;
    default:
      throw unknown();
  }
}

function archAttribute(
  spec: ConcreteSpec,
  part: string | undefined,
  detail: string | undefined,
  unknown: () => SpacktainersError,
): string {
  const { platform, os, target } = spec;
  if (part === undefined) return `${platform}-${os}-${target}`;
  if (part === "target" && detail === "family") return familyOf(target);
  if (detail !== undefined && !(part === "target" && detail === "name")) throw unknown();
  if (part === "platform") return platform;
  if (part === "os") return os;
  if (part === "target") return target;
  throw unknown();
}
