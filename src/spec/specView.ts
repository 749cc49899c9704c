/** What the relations between specs (satisfies, intersects) need to see of a spec, abstract or concrete. */
import type {
  AbstractSpec,
  ArchConstraint,
  CompilerConstraint,
  Dialect,
  FlagConstraint,
  VariantConstraint,
} from "./abstract.ts";
import type { ConcreteSpec, DagHash, DependencyType } from "./concrete.ts";
import { concreteVariants } from "./format.ts";
import { anyVersion, parseVersion, type VersionSet } from "./versions.ts";

/** A spec as the relations see it. Every {@link AbstractSpec} is one. */
export interface SpecView {
  readonly name: string | undefined;
  readonly namespace: string | undefined;
  readonly versions: VersionSet;
  readonly compiler: CompilerConstraint | undefined;
  readonly variants: ReadonlyMap<string, VariantConstraint>;
  readonly flags: ReadonlyMap<string, readonly FlagConstraint[]>;
  readonly arch: ArchConstraint | undefined;
  readonly hash: string | undefined;
  readonly dependencies: readonly EdgeView[];
  /** Set for concrete specs. */
  readonly concrete?: ConcreteSpec;
}

/** An edge as the relations see it. */
export interface EdgeView {
  readonly spec: SpecView;
  readonly types: ReadonlySet<DependencyType>;
  readonly virtuals: readonly string[];
  readonly direct: boolean;
  readonly when?: AbstractSpec | undefined;
}

/** Where nodes of concrete specs are found: a `SpecGraph`, or an index that parses on demand. */
export interface SpecLookup {
  get(hash: DagHash): ConcreteSpec | undefined;
}

/** A virtual package that a package provides, where a condition holds. */
export interface ProvidedVirtual {
  readonly virtual: AbstractSpec;
  readonly when: AbstractSpec;
}

/** What is known about virtual packages beyond what edges say. */
export interface VirtualKnowledge {
  /** True if the name is that of a virtual package (`mpi`). */
  isVirtual(name: string): boolean;
  /** True if packages of this name can provide the virtual. */
  provides(name: string, virtual: string): boolean;
  /** What exactly packages of this name provide, where that is known. */
  provided?(name: string): readonly ProvidedVirtual[] | undefined;
  /** Names of the packages that can provide the virtual. */
  providersOf?(virtual: string): readonly string[];
}

/** What the relations need in addition to the specs. */
export interface Relation {
  readonly dialect: Dialect;
  readonly virtuals: VirtualKnowledge;
  /** What is known already of dependencies; undefined: nothing is kept. */
  readonly answers?: ReachAnswers;
}

/** What is asked of edges. */
export interface ReachQuestion {
  /** The edge that is asked for. */
  readonly wanted: EdgeView;
  readonly relation: Relation;
  /** Tells questions about one edge apart: each has one test. */
  readonly question: string;
}

/**
 * Answers about nodes, by the edge that was asked for and by question. They hold as long as nodes do not change: for concrete specs
 * of one graph, and one object of each.
 */
export class ReachAnswers {
  private readonly known = new Map<EdgeView, Map<string, Map<SpecView, boolean>>>();

  of({ wanted, question }: ReachQuestion): Map<SpecView, boolean> {
    const questions = this.known.get(wanted) ?? new Map<string, Map<SpecView, boolean>>();
    this.known.set(wanted, questions);
    const answers = questions.get(question) ?? new Map<SpecView, boolean>();
    questions.set(question, answers);
    return answers;
  }
}

/** What does not change about a concrete node, made once. */
interface NodeConstraints {
  readonly versions: VersionSet;
  readonly variants: ReadonlyMap<string, VariantConstraint>;
  readonly flags: ReadonlyMap<string, readonly FlagConstraint[]>;
  readonly compiler: CompilerConstraint | undefined;
}

const factsByDialect: Readonly<Record<Dialect, WeakMap<ConcreteSpec, NodeConstraints>>> = {
  "0.x": new WeakMap(),
  "1.x": new WeakMap(),
};

function factsOf(spec: ConcreteSpec, dialect: Dialect): NodeConstraints {
  const known = factsByDialect[dialect].get(spec);
  if (known !== undefined) return known;
  const made: NodeConstraints = {
    versions: { items: [parseVersion(spec.version, dialect)] },
    variants: new Map(concreteVariants(spec).map((variant) => [variant.name, variant])),
    flags: new Map(
      [...spec.flags].map(([kind, list]) => [kind, list.map((flag) => ({ flag, propagate: false }))]),
    ),
    compiler:
      spec.compiler === undefined
        ? undefined
        : { name: spec.compiler.name, versions: { items: [parseVersion(spec.compiler.version, dialect)] } },
  };
  factsByDialect[dialect].set(spec, made);
  return made;
}

class ConcreteView implements SpecView {
  readonly concrete: ConcreteSpec;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly hash: string;
  readonly arch: ArchConstraint;
  private readonly facts: NodeConstraints;
  private readonly views: Views;
  private edges: readonly EdgeView[] | undefined;

  constructor(spec: ConcreteSpec, views: Views) {
    this.concrete = spec;
    this.name = spec.name;
    this.namespace = spec.namespace;
    this.hash = spec.hash;
    this.arch = spec;
    this.facts = factsOf(spec, views.dialect);
    this.views = views;
  }

  get versions(): VersionSet {
    return this.facts.versions;
  }
  get variants(): ReadonlyMap<string, VariantConstraint> {
    return this.facts.variants;
  }
  get flags(): ReadonlyMap<string, readonly FlagConstraint[]> {
    return this.facts.flags;
  }
  get compiler(): CompilerConstraint | undefined {
    return this.facts.compiler;
  }
  get dependencies(): readonly EdgeView[] {
    this.edges ??= this.concrete.dependencies.map((edge) => ({
      spec: this.views.of(edge.hash) ?? unknownNode(edge.name, edge.hash, this.views.dialect),
      types: edge.types,
      virtuals: edge.virtuals,
      direct: edge.direct,
    }));
    return this.edges;
  }
}

/** Views of the nodes of one graph, one object for each node. */
class Views {
  readonly dialect: Dialect;
  private readonly lookup: SpecLookup;
  private readonly made = new Map<DagHash, ConcreteView>();

  constructor(lookup: SpecLookup, dialect: Dialect) {
    this.lookup = lookup;
    this.dialect = dialect;
  }

  of(hash: DagHash): ConcreteView | undefined {
    const known = this.made.get(hash);
    if (known !== undefined) return known;
    const spec = this.lookup.get(hash);
    if (spec === undefined) return undefined;
    const view = new ConcreteView(spec, this);
    this.made.set(hash, view);
    return view;
  }
}

/** A dependency that is not loaded: only its name and hash are known. */
function unknownNode(name: string, hash: string, dialect: Dialect): SpecView {
  return {
    name,
    namespace: undefined,
    versions: anyVersion(dialect),
    compiler: undefined,
    variants: new Map(),
    flags: new Map(),
    arch: undefined,
    hash,
    dependencies: [],
  };
}

/** The concrete spec of a hash as the relations see it; its dependencies are looked up when they are asked for. */
export function viewOf(lookup: SpecLookup, hash: DagHash, dialect: Dialect): SpecView | undefined {
  return openViews(lookup, dialect)(hash);
}

/** As {@link viewOf} for many specs of a graph that does not change: one object for each node, made once. */
export function openViews(lookup: SpecLookup, dialect: Dialect): (hash: DagHash) => SpecView | undefined {
  const views = new Views(lookup, dialect);
  return (hash) => views.of(hash);
}

const byName = (a: EdgeView, b: EdgeView) => {
  const left = a.spec.name ?? "";
  const right = b.spec.name ?? "";
  if (left !== right) return left < right ? -1 : 1;
  const first = a.spec.concrete === undefined ? (a.spec.hash ?? "") : "";
  const second = b.spec.concrete === undefined ? (b.spec.hash ?? "") : "";
  return first < second ? -1 : first > second ? 1 : 0;
};

/** True if the edge has one of the types; an edge that says none has all. */
export function edgeHasType(edge: EdgeView, types: readonly DependencyType[]): boolean {
  return edge.types.size === 0 || types.some((type) => edge.types.has(type));
}

/** All nodes of the DAG, the root first. */
export function allNodes(root: SpecView): readonly SpecView[] {
  const seen = new Set([root]);
  for (const node of seen) for (const edge of node.dependencies) seen.add(edge.spec);
  return [...seen];
}

/** An edge and where it starts. */
export interface EdgeFrom {
  readonly parent: SpecView;
  readonly edge: EdgeView;
}

const sortedByView = new WeakMap<SpecView, readonly EdgeView[]>();

/** The edges of a node, by name. */
function sortedEdges(node: SpecView): readonly EdgeView[] {
  const known = sortedByView.get(node);
  if (known !== undefined) return known;
  const sorted = [...node.dependencies].sort(byName);
  sortedByView.set(node, sorted);
  return sorted;
}

const allByView = new WeakMap<SpecView, readonly EdgeFrom[]>();

/** All edges below the root, each once, breadth-first, children by name. */
export function allEdges(root: SpecView): readonly EdgeFrom[] {
  // Of a constraint they are asked for again and again; of a graph's nodes they would be too many to keep.
  const known = allByView.get(root);
  if (known !== undefined) return known;
  const edges = [...edgesBelow(root)];
  if (root.concrete === undefined) allByView.set(root, edges);
  return edges;
}

/** As {@link allEdges}, one after the other, and only those of some types. */
export function* edgesBelow(root: SpecView, types?: readonly DependencyType[]): Generator<EdgeFrom> {
  const queue = new Set([root]);
  for (const parent of queue)
    for (const edge of sortedEdges(parent)) {
      if (types !== undefined && !edgeHasType(edge, types)) continue;
      yield { parent, edge };
      queue.add(edge.spec);
    }
}

/** True if the text may be the whole or the beginning of a hash of this spec. */
export function hashBeginsWith(view: SpecView, prefix: string): boolean {
  return view.hash?.startsWith(prefix) ?? false;
}
