/** Specs that are still being put together: by the parser, and by constraining one spec with another. */
import type {
  AbstractSpec,
  ArchConstraint,
  CompilerConstraint,
  Dialect,
  FlagConstraint,
  FlagKind,
  VariantConstraint,
} from "./abstract.ts";
import type { DependencyType } from "./concrete.ts";
import { describeSpec } from "./format.ts";
import { anyVersion, type VersionSet } from "./versions.ts";

/** An {@link AbstractSpec} that can be changed. */
export interface SpecNode {
  name: string | undefined;
  namespace: string | undefined;
  versions: VersionSet;
  compiler: CompilerConstraint | undefined;
  readonly variants: Map<string, VariantConstraint>;
  readonly flags: Map<FlagKind, readonly FlagConstraint[]>;
  arch: ArchConstraint | undefined;
  hash: string | undefined;
  dependencies: EdgeNode[];
}

/** An edge that can be changed. */
export interface EdgeNode {
  readonly spec: SpecNode;
  types: ReadonlySet<DependencyType>;
  virtuals: readonly string[];
  direct: boolean;
  readonly propagation: "none" | "preference";
  readonly when: AbstractSpec | undefined;
}

/** A spec without any condition. */
export function emptyNode(dialect: Dialect): SpecNode {
  return {
    name: undefined,
    namespace: undefined,
    versions: anyVersion(dialect),
    compiler: undefined,
    variants: new Map(),
    flags: new Map(),
    arch: undefined,
    hash: undefined,
    dependencies: [],
  };
}

/** A copy of the spec that can be changed. */
export function thaw(spec: AbstractSpec): SpecNode {
  return {
    name: spec.name,
    namespace: spec.namespace,
    versions: spec.versions,
    compiler: spec.compiler,
    variants: new Map(spec.variants),
    flags: new Map(spec.flags),
    arch: spec.arch,
    hash: spec.hash,
    dependencies: spec.dependencies.map((edge) => ({ ...edge, spec: thaw(edge.spec) })),
  };
}

const bits: Readonly<Record<DependencyType, number>> = { link: 1, run: 2, build: 4, test: 8 };

/** The dependency types as bits, valued so that sums sort edges to one package as Spack does. */
export function typeBits(types: ReadonlySet<DependencyType>): number {
  let sum = 0;
  for (const type of types) sum |= bits[type];
  return sum;
}

/** True if a package can have two dependencies of one name with these types: one for building, the other not. */
export function typesCompatible(a: number, b: number): boolean {
  const linkOrRun = 3;
  return (a & b) === 0 && ((a & linkOrRun) === 0 || (b & linkOrRun) === 0);
}

/** Puts an edge where Spack keeps it: after the others to the same name, those by their types. */
export function insertEdge(list: EdgeNode[], edge: EdgeNode): void {
  const first = list.findIndex((other) => other.spec.name === edge.spec.name);
  if (first < 0) {
    list.push(edge);
    return;
  }
  const own = typeBits(edge.types);
  let at = first;
  while (at < list.length) {
    const other = list[at];
    if (other === undefined || other.spec.name !== edge.spec.name || typeBits(other.types) > own) break;
    at += 1;
  }
  list.splice(at, 0, edge);
}

/** The same for two specs exactly when they say the same. */
export function specKey(spec: AbstractSpec | undefined, dialect: Dialect): string {
  if (spec === undefined) return "";
  const namespaces = [spec.namespace, ...spec.dependencies.map((edge) => edge.spec.namespace)];
  return `${describeSpec(spec, dialect)}\n${namespaces.join(",")}`.replace(/\n,*$/, "");
}
