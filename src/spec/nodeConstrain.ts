/**
 * Constraining one spec with another, and adding dependencies to a spec that is being put together, by the rules of
 * each dialect, with the knowledge about virtual packages passed in.
 */
import { SpacktainersError } from "../util/errors.ts";
import type { AbstractEdge, AbstractSpec, ArchConstraint, FlagConstraint } from "./abstract.ts";
import { describeSpec, formatNode, formatVariant } from "./format.ts";
import { insertEdge, type SpecNode, specKey, thaw, typeBits, typesCompatible } from "./node.ts";
import { archIntersects } from "./nodeRelations.ts";
import { dependenciesIntersect, lookup } from "./specRelations.ts";
import { allNodes, type Relation } from "./specView.ts";
import { isOneTarget, targetIntersection } from "./targets.ts";
import { variantConstrain } from "./variantRules.ts";
import { formatVersionSet, versionsIntersect, versionsIntersection } from "./versions.ts";

function contradiction(message: string): SpacktainersError {
  return new SpacktainersError("SPEC_CONTRADICTION", message);
}

function joinFlags(
  own: readonly FlagConstraint[],
  added: readonly FlagConstraint[],
): readonly FlagConstraint[] {
  const result = [...own];
  const done = new Set<string>();
  for (const flag of added) {
    const first = !done.has(flag.flag);
    done.add(flag.flag);
    const at = own.findIndex((other) => other.flag === flag.flag);
    if (at < 0) result.push(flag);
    // A flag that is asked for without propagation stops propagating.
    else if (first && !flag.propagate && own[at]?.propagate === true) result[at] = flag;
  }
  return result;
}

function joinArch(
  a: ArchConstraint | undefined,
  b: ArchConstraint | undefined,
  relation: Relation,
): ArchConstraint | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const clash = () => contradiction(`the architectures ${archText(a)} and ${archText(b)} exclude each other`);
  const platform = a.platform ?? b.platform;
  const os = a.os ?? b.os;
  if (relation.dialect === "0.x") {
    // 0.x joins targets only when they are written alike, although it knows which ranges have targets in common.
    for (const part of ["platform", "os", "target"] as const)
      if (a[part] !== undefined && b[part] !== undefined && a[part] !== b[part]) throw clash();
    return { platform, os, target: a.target ?? b.target };
  }
  // Not the same both ways: only a star on the right side matches every target.
  if (!archIntersects(a, b, relation) || !archIntersects(b, a, relation)) throw clash();
  return { platform, os, target: joinTargets(a.target, b.target) };
}

function joinTargets(a: string | undefined, b: string | undefined): string | undefined {
  if ((a === undefined && b === undefined) || isOneTarget(a)) return a;
  if (isOneTarget(b)) return b;
  // As Spack has it: a range joined to no target at all leaves an empty target.
  return a === undefined || b === undefined ? "" : targetIntersection(a, b, "1.x").join(",");
}

function archText(arch: ArchConstraint): string {
  return [arch.platform, arch.os, arch.target].map((part) => part ?? "any").join("-");
}

/**
 * Adds the conditions of `b` to the node `a`.
 * @throws SpacktainersError SPEC_CONTRADICTION; `a` is then in no defined state
 */
export function constrainNode(a: SpecNode, b: AbstractSpec, relation: Relation, dependencies = true): void {
  const { dialect } = relation;
  if (b.hash !== undefined) {
    if (a.hash === undefined || b.hash.startsWith(a.hash)) a.hash = b.hash;
    else if (!a.hash.startsWith(b.hash)) throw contradiction(`the hashes /${a.hash} and /${b.hash} differ`);
  }
  if (a.name !== b.name && a.name !== undefined && b.name !== undefined)
    throw contradiction(`${a.name} and ${b.name} are different packages`);
  if (a.namespace !== undefined && b.namespace !== undefined && a.namespace !== b.namespace)
    throw contradiction(`the namespaces ${a.namespace} and ${b.namespace} differ`);
  if (!versionsIntersect(a.versions, b.versions))
    throw contradiction(
      `no version is in both @${formatVersionSet(a.versions)} and @${formatVersionSet(b.versions)}`,
    );
  a.arch = joinArch(a.arch, b.arch, relation);
  a.name ??= b.name;
  a.namespace ??= b.namespace;
  constrainCompiler(a, b);
  a.versions = versionsIntersection(a.versions, b.versions);
  for (const [name, variant] of b.variants) {
    const own = a.variants.get(name);
    const both = own === undefined ? variant : variantConstrain(own, variant, dialect);
    if (both === undefined && own !== undefined)
      throw contradiction(
        `${formatVariant(own, dialect)} and ${formatVariant(variant, dialect)} exclude each other`,
      );
    if (both !== undefined) a.variants.set(name, both);
  }
  for (const [kind, added] of b.flags) {
    const own = a.flags.get(kind);
    a.flags.set(kind, own === undefined ? added : joinFlags(own, added));
  }
  if (dependencies) constrainDependencies(a, b, relation);
}

function constrainCompiler(a: SpecNode, b: AbstractSpec): void {
  if (a.compiler === undefined || b.compiler === undefined) {
    a.compiler ??= b.compiler;
    return;
  }
  if (a.compiler.name !== b.compiler.name)
    throw contradiction(`the compilers %${a.compiler.name} and %${b.compiler.name} differ`);
  if (!versionsIntersect(a.compiler.versions, b.compiler.versions))
    throw contradiction(
      `no version of the compiler ${a.compiler.name} is in both @${formatVersionSet(a.compiler.versions)} and @${formatVersionSet(b.compiler.versions)}`,
    );
  a.compiler = {
    name: a.compiler.name,
    versions: versionsIntersection(a.compiler.versions, b.compiler.versions),
  };
}

function constrainDependencies(a: SpecNode, b: AbstractSpec, relation: Relation): void {
  const { dialect } = relation;
  if (b.dependencies.length === 0) return;
  if (!dependenciesIntersect(b, a, relation))
    throw contradiction(
      `the dependencies of ${describeSpec(a, dialect)} and ${describeSpec(b, dialect)} exclude each other`,
    );
  if (allNodes(b).some((node, i) => i > 0 && node.name === undefined))
    throw contradiction(
      `a spec cannot be joined to dependencies without a name (${describeSpec(b, dialect)})`,
    );
  if (dialect === "0.x") constrainOldDependencies(a, b, relation);
  else
    for (const edge of b.dependencies) {
      const own = a.dependencies.find(
        (each) =>
          each.spec.name === edge.spec.name && specKey(each.when, dialect) === specKey(edge.when, dialect),
      );
      if (own === undefined) {
        insertEdge(a.dependencies, { ...edge, spec: thaw(edge.spec) });
        continue;
      }
      constrainNode(own.spec, edge.spec, relation);
      own.types = new Set([...own.types, ...edge.types]);
      own.virtuals = joinVirtuals(own.virtuals, edge.virtuals);
      own.direct ||= edge.direct;
    }
}

function joinVirtuals(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])].sort();
}

function constrainOldDependencies(a: SpecNode, b: AbstractSpec, relation: Relation): void {
  const before = new Set(a.dependencies.map((edge) => edge.spec.name));
  for (const name of new Set(b.dependencies.map((edge) => edge.spec.name))) {
    const [edge, ...more] = b.dependencies.filter((each) => each.spec.name === name);
    if (edge === undefined) continue;
    if (!before.has(name)) {
      if (more.length > 0)
        throw contradiction(`${name} is more than one dependency of ${formatNode(b, "0.x")}`);
      addDependency(a, { ...edge, spec: thaw(edge.spec) }, relation);
      continue;
    }
    const [own] = a.dependencies.filter((each) => each.spec.name === name);
    if (own === undefined) continue;
    // The nodes are looked up again, which can give another of that name, or the root itself.
    const left = lookup(a, name, relation);
    const right = lookup(b, name, relation);
    const nodes: readonly SpecNode[] = [a, ...a.dependencies.map((each) => each.spec)];
    const target = nodes.find((node) => node === left);
    const source = [b, ...b.dependencies.map((each) => each.spec)].find((node) => node === right);
    if (target !== undefined && source !== undefined) constrainNode(target, source, relation, false);
    own.types = new Set([...own.types, ...edge.types]);
    own.virtuals = joinVirtuals(own.virtuals, edge.virtuals);
  }
}

/**
 * Adds an edge as the parser does: a second edge to the same package with the same types is joined to the first.
 * @throws SpacktainersError SPEC_CONTRADICTION when the package cannot be a dependency twice in this way
 */
export function addDependency(
  node: SpecNode,
  edge: Omit<AbstractEdge, "spec"> & { readonly spec: SpecNode },
  relation: Relation,
): void {
  const { dialect } = relation;
  const { name } = edge.spec;
  const key = specKey(edge.when, dialect);
  const own = typeBits(edge.types);
  const namesakes = node.dependencies.filter((other) => name === undefined || other.spec.name === name);
  const sameCondition = namesakes.filter((other) => specKey(other.when, dialect) === key);
  if (name !== undefined) {
    const same = sameCondition.find((other) => typeBits(other.types) === own);
    if (same !== undefined) {
      constrainNode(same.spec, edge.spec, relation);
      same.virtuals = joinVirtuals(same.virtuals, edge.virtuals);
      return;
    }
  }
  if (sameCondition.some((other) => !typesCompatible(typeBits(other.types), own)))
    throw contradiction(
      `${name ?? "a dependency without a name"} is a dependency twice, with types that cannot go together`,
    );
  // Spack forgets `%%` here where the package is a dependency already.
  const propagation = name !== undefined && namesakes.length > 0 ? "none" : edge.propagation;
  insertEdge(node.dependencies, { ...edge, propagation });
}
