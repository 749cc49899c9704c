/** Concrete specs as values of recipes. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import { compilerOf } from "../spec/compilerOf.ts";
import type { ConcreteEdge, ConcreteSpec, DagHash, DependencyType } from "../spec/concrete.ts";
import { dialectOf } from "../spec/format.ts";
import { parseSpec } from "../spec/parse.ts";
import { SpacktainersError } from "../util/errors.ts";
import { architectureValue, targetValue } from "./architectureValue.ts";
import { formatSpecText } from "./formatSpecText.ts";
import { VersionValue } from "./spackVersion.ts";
import {
  isObject,
  isSequence,
  isTrue,
  list,
  native,
  type ObjectValue,
  plain,
  prefix,
  textIn,
  type Value,
  wholeNumber,
  word,
} from "./values.ts";
import { variantMap } from "./variantMap.ts";
import type { RecipeWorld } from "./world.ts";

/** What specs need of the packages. */
export interface PackageLookup {
  readonly world: RecipeWorld;
  readonly packageOf: (spec: ConcreteSpec) => ObjectValue;
  /** `libs`, `headers`, `command` or `home` of a spec that was asked for as `query`. */
  readonly queried: (spec: SpecValue, what: "libs" | "headers" | "command" | "home") => Value;
}

const runtime: ReadonlySet<DependencyType> = new Set(["link", "run"]);
const buildOrTest: ReadonlySet<DependencyType> = new Set(["build", "test"]);
const allTypes: ReadonlySet<DependencyType> = new Set(["build", "link", "run", "test"]);

export class SpecValue implements ObjectValue {
  readonly kind = "object";
  readonly type = "Spec";
  readonly node: ConcreteSpec;
  /** The name by which it was asked for; a virtual package's when `virtual`. */
  readonly query: string;
  readonly virtual: boolean;
  /** What was written after a colon: `spec["hdf5:hl,fortran"]`. */
  readonly extra: readonly string[];
  /** The spec that was asked for it. */
  readonly parent: SpecValue | undefined;
  private readonly packages: PackageLookup;

  constructor(
    node: ConcreteSpec,
    packages: PackageLookup,
    query: { readonly name: string; readonly virtual: boolean; readonly extra: readonly string[] } = {
      name: node.name,
      virtual: false,
      extra: [],
    },
    parent?: SpecValue,
  ) {
    this.parent = parent;
    this.node = node;
    this.packages = packages;
    this.query = query.name;
    this.virtual = query.virtual;
    this.extra = query.extra;
  }

  private of(node: ConcreteSpec): SpecValue {
    return new SpecValue(node, this.packages);
  }

  /** Its prefix. @throws NotUnderstood when it has none here */
  prefix(): string {
    const path = this.packages.world.prefixOf(this.node);
    if (path === undefined)
      throw new NotUnderstood(`the prefix of ${this.node.name}, which is not in the image`);
    return path;
  }

  equals(other: Value): boolean {
    return isObject(other) && other instanceof SpecValue && other.node.hash === this.node.hash;
  }

  text(): string {
    throw new NotUnderstood("the text of a spec");
  }

  contains(value: Value): boolean {
    const text = textIn(value);
    if (text === undefined) {
      if (isObject(value) && value instanceof SpecValue)
        return this.closure(allTypes).some((node) => node.hash === value.node.hash);
      throw new NotUnderstood("`in` with a spec");
    }
    const name = this.nameIn(text);
    if (name === undefined || name === this.node.name) return this.satisfies(text);
    const found = this.find(name);
    return found !== undefined && this.of(found.node).satisfiesNamed(text, name);
  }

  /** As {@link satisfies}; the name may be that of a virtual package it was found by. */
  private satisfiesNamed(text: string, name: string): boolean {
    if (name === this.node.name) return this.satisfies(text);
    const rest = text.trim().slice(name.length);
    if (/^[@+~%a-z]/i.test(rest.trim()) && rest.trim() !== "")
      throw new NotUnderstood(`the condition \`${text}\``);
    return true;
  }

  /** Whether it satisfies a constraint. @throws NotUnderstood for a constraint that cannot be read */
  satisfies(constraint: string): boolean {
    try {
      return this.packages.world.satisfies(this.node, constraint);
    } catch (thrown) {
      if (!(thrown instanceof SpacktainersError)) throw thrown;
      throw new NotUnderstood(`the condition \`${constraint}\``);
    }
  }

  private nameIn(text: string): string | undefined {
    try {
      return parseSpec(text, { dialect: dialectOf(this.node.specfileVersion) }).name;
    } catch (thrown) {
      if (!(thrown instanceof SpacktainersError)) throw thrown;
      throw new NotUnderstood(`the condition \`${text}\``);
    }
  }

  /** Its direct dependencies of any of these types, in the order of the file. */
  direct(types: ReadonlySet<DependencyType>): readonly SpecValue[] {
    return this.edges(this.node, types).map(([, child]) => this.of(child));
  }

  private edges(
    node: ConcreteSpec,
    types: ReadonlySet<DependencyType>,
  ): readonly (readonly [ConcreteEdge, ConcreteSpec])[] {
    return node.dependencies.flatMap((edge) => {
      const child = this.packages.world.graph.get(edge.hash);
      return child !== undefined && [...edge.types].some((type) => types.has(type))
        ? [[edge, child] as const]
        : [];
    });
  }

  /** The package of a name, or of a virtual package: direct build dependencies first, then what is needed at run time. */
  private find(name: string): { readonly node: ConcreteSpec; readonly virtual: boolean } | undefined {
    const match = (edge: ConcreteEdge) => edge.name === name || edge.virtuals.includes(name);
    const result = ([edge, node]: readonly [ConcreteEdge, ConcreteSpec]) => ({
      node,
      virtual: edge.virtuals.includes(name),
    });
    const direct = this.edges(this.node, buildOrTest).find(([edge]) => match(edge));
    if (direct !== undefined) return result(direct);
    if (this.node.name === name) return { node: this.node, virtual: false };
    const seen = new Set<DagHash>([this.node.hash]);
    for (const hash of seen) {
      const node = this.packages.world.graph.get(hash);
      const edges = node === undefined ? [] : byName(this.edges(node, runtime));
      for (const edge of edges) {
        if (match(edge[0])) return result(edge);
        seen.add(edge[0].hash);
      }
    }
    return undefined;
  }

  item(index: Value): Value {
    const [name = "", extra] = word(index).split(":");
    const found = this.find(name);
    if (found === undefined) throw new PythonException("KeyError", `No spec with name ${name}`);
    return new SpecValue(
      found.node,
      this.packages,
      {
        name,
        virtual: found.virtual,
        extra: extra === undefined ? [] : extra.split(",").map((one) => one.trim()),
      },
      this,
    );
  }

  /** It and all below it, each once, by name. */
  private closure(types: ReadonlySet<DependencyType>): readonly ConcreteSpec[] {
    const seen = new Map<DagHash, ConcreteSpec>();
    const visit = (node: ConcreteSpec) => {
      if (seen.has(node.hash)) return;
      seen.set(node.hash, node);
      for (const [, child] of byName(this.edges(node, types))) visit(child);
    };
    visit(this.node);
    return [...seen.values()];
  }

  attribute(name: string): Value | undefined {
    const { node } = this;
    switch (name) {
      case "name":
        return node.name;
      case "fullname":
        return node.namespace === undefined ? node.name : `${node.namespace}.${node.name}`;
      case "namespace":
        return node.namespace ?? null;
      case "version":
        return new VersionValue(node.version, dialectOf(node.specfileVersion));
      case "prefix":
        return prefix(this.prefix());
      case "external":
        return node.external !== undefined;
      case "external_path":
        return node.external?.path ?? null;
      case "concrete":
      case "_concrete":
        return true;
      case "virtual":
        return false;
      case "platform":
        return node.platform;
      case "os":
        return node.os;
      case "target":
        return targetValue(node.target);
      case "architecture":
      case "arch":
        return architectureValue(node);
      case "variants":
        return variantMap(node.variants);
      case "package":
        return this.packages.packageOf(node);
      case "libs":
      case "headers":
      case "command":
      case "home":
        return this.packages.queried(this, name);
      case "compiler":
        return this.compiler();
      case "last_query":
        return queryValue(this);
      case "satisfies":
        return native(name, ({ values: [constraint = null] }) => {
          if (isObject(constraint) && constraint instanceof SpecValue)
            return constraint.node.hash === node.hash;
          return this.satisfies(word(constraint));
        });
      case "intersects":
        return plain(name, 1, 1, (constraint) => this.satisfies(word(constraint)));
      case "dag_hash":
        return plain(name, 0, 1, (length) =>
          node.hash.slice(0, length === undefined ? undefined : wholeNumber(length)),
        );
      case "format":
      case "cformat":
        return plain(name, 1, 1, (format) => formatSpecText(node, word(format)));
      case "dependencies":
        return native(name, ({ values, named }) => {
          const wanted = textIn(values[0] ?? named.get("name") ?? null);
          const types = typesOf(values[1] ?? named.get("deptype"));
          return list(
            this.edges(node, types)
              .filter(
                ([edge]) => wanted === undefined || edge.name === wanted || edge.virtuals.includes(wanted),
              )
              .map(([, child]) => this.of(child)),
          );
        });
      case "traverse":
        return native(name, ({ values, named }) => {
          if (values.length > 0) throw new NotUnderstood("arguments of `traverse` without names");
          for (const [key, value] of named)
            if (!(key === "root" || key === "deptype" || (key === "order" && value === "pre")))
              throw new NotUnderstood(`the argument \`${key}\` of \`traverse\``);
          const types = typesOf(named.get("deptype"));
          const nodes = this.closure(types);
          const root = isTrue(named.get("root") ?? true);
          return list((root ? nodes : nodes.slice(1)).map((one) => this.of(one)));
        });
      case "has_virtual_dependency":
        return plain(name, 1, 1, (virtual) =>
          node.dependencies.some((edge) => edge.virtuals.includes(word(virtual))),
        );
      default:
        throw new NotUnderstood(`\`${name}\` of a spec`);
    }
  }

  private compiler(): Value {
    const found = compilerOf(this.node, this.packages.world.graph);
    if (found === undefined) throw new NotUnderstood("the compiler of a package");
    const version = new VersionValue(found.version, dialectOf(this.node.specfileVersion));
    return {
      kind: "object",
      type: "CompilerSpec",
      attribute: (name) => {
        if (name === "version") return version;
        // As specs name compilers, before they were packages.
        if (name === "name" && !/^(?:intel-|nvhpc|llvm|apple)/.test(found.name)) return found.name;
        throw new NotUnderstood(`\`${name}\` of a compiler`);
      },
    };
  }
}

function byName(
  edges: readonly (readonly [ConcreteEdge, ConcreteSpec])[],
): readonly (readonly [ConcreteEdge, ConcreteSpec])[] {
  return [...edges].sort(([a], [b]) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Types of dependencies: `"run"`, `("link", "run")`, `"all"`. @throws NotUnderstood */
function typesOf(value: Value | undefined): ReadonlySet<DependencyType> {
  if (value === undefined || value === null || value === "all") return allTypes;
  const names = isSequence(value) ? value.items.map(word) : [word(value)];
  return new Set(
    names.map((name) => {
      if (name === "build" || name === "link" || name === "run" || name === "test") return name;
      throw new NotUnderstood(`the type of dependency \`${name}\``);
    }),
  );
}

function queryValue(spec: SpecValue): ObjectValue {
  return {
    kind: "object",
    type: "QueryState",
    attribute: (name) => {
      if (name === "name") return spec.query;
      if (name === "isvirtual") return spec.virtual;
      return name === "extra_parameters" ? list(spec.extra) : undefined;
    },
  };
}
