/**
 * Satisfies and intersects for one node without its dependencies, by the rules of each dialect, with the knowledge about
 * virtual packages passed in.
 */
import type { ArchConstraint, FlagConstraint, VariantConstraint } from "./abstract.ts";
import { allNodes, hashBeginsWith, type Relation, type SpecView } from "./specView.ts";
import { anyTarget, targetIntersection } from "./targets.ts";
import { variantIntersects, variantSatisfies } from "./variantRules.ts";
import { versionsIntersect, versionsSatisfy } from "./versions.ts";

function partition(variants: ReadonlyMap<string, VariantConstraint>) {
  const own: VariantConstraint[] = [];
  const propagating: VariantConstraint[] = [];
  for (const variant of variants.values()) (variant.propagate ? propagating : own).push(variant);
  return { own, propagating };
}

/** True if no node of the DAG contradicts the propagated variants; nodes without the variant do not count. */
function followPropagation(
  root: SpecView,
  wanted: readonly VariantConstraint[],
  relation: Relation,
): boolean {
  return allNodes(root).every((node) =>
    wanted.every((variant) => {
      const has = node.variants.get(variant.name);
      return has === undefined || variantSatisfies(has, variant, relation.dialect);
    }),
  );
}

function variantsSatisfy(a: SpecView, b: SpecView, relation: Relation): boolean {
  if (b.variants.size === 0 && (a.concrete !== undefined || a.variants.size === 0)) return true;
  const other = partition(b.variants);
  for (const variant of other.own) {
    const has = a.variants.get(variant.name);
    // A propagated variant of an abstract spec does not answer for one that is not.
    if (has === undefined || (a.concrete === undefined && has.propagate)) return false;
    if (!variantSatisfies(has, variant, relation.dialect)) return false;
  }
  if (other.propagating.length > 0 && !followPropagation(a, other.propagating, relation)) return false;
  if (a.concrete !== undefined) return true;
  const self = partition(a.variants);
  return self.propagating.length === 0 || followPropagation(b, self.propagating, relation);
}

function targetsSatisfy(
  a: string | undefined,
  b: string | undefined,
  relation: Relation,
  strict: boolean,
): boolean {
  if (b === undefined || (!strict && a === undefined)) return true;
  if (a === undefined) return false;
  if (relation.dialect === "1.x" && b === anyTarget) return true;
  if (a === b && !a.includes(":") && !a.includes(",")) return true;
  return targetIntersection(a, b, relation.dialect).length > 0;
}

function archSatisfies(
  a: ArchConstraint | undefined,
  b: ArchConstraint | undefined,
  relation: Relation,
): boolean {
  if (b === undefined) return true;
  if (a === undefined) return false;
  for (const part of ["platform", "os"] as const) {
    // As Spack has it: a star that is met ends the comparison.
    if (relation.dialect === "1.x" && b[part] === "*" && a[part]) return true;
    if (b[part] && a[part] !== b[part]) return false;
  }
  return targetsSatisfy(a.target, b.target, relation, true);
}

/** True if there can be an architecture that both allow. */
export function archIntersects(a: ArchConstraint, b: ArchConstraint, relation: Relation): boolean {
  for (const part of ["platform", "os"] as const) if (a[part] && b[part] && a[part] !== b[part]) return false;
  return targetsSatisfy(a.target, b.target, relation, false);
}

function flagsSatisfy(
  a: ReadonlyMap<string, readonly FlagConstraint[]>,
  b: ReadonlyMap<string, readonly FlagConstraint[]>,
): boolean {
  for (const [kind, wanted] of b) {
    const has = a.get(kind);
    if (has === undefined) return false;
    if (!wanted.every(({ flag }) => has.some((other) => other.flag === flag))) return false;
  }
  return true;
}

/** False if the namespace says that the recipe is another than the one that is known. */
function hasKnownRecipe({ namespace, concrete }: SpecView): boolean {
  return concrete !== undefined || namespace === undefined || namespace === "builtin";
}

/** True if a package that is not virtual provides the virtual package that `b` asks for. */
function providesVirtual(a: SpecView, b: SpecView, relation: Relation): boolean {
  const { virtuals } = relation;
  if (!hasKnownRecipe(a)) return false;
  const name = a.name ?? "";
  const wanted = b.name ?? "";
  const known = virtuals.provided?.(name);
  if (known !== undefined)
    return known.some(
      ({ virtual, when }) =>
        virtual.name === wanted && nodeSatisfies(a, when, relation) && nodeIntersects(virtual, b, relation),
    );
  if (a.concrete?.providedVirtuals !== undefined)
    return a.concrete.providedVirtuals.some((text) => text.split("@")[0] === wanted);
  return virtuals.provides(name, wanted);
}

/** Like satisfies, but for the nodes only. */
export function nodeSatisfies(a: SpecView, b: SpecView, relation: Relation): boolean {
  return nodeAnswer(a, b, relation) !== "no";
}

/**
 * Does the node `a` satisfy the node `b`? `provider` when it does by providing the virtual package `b`: then nothing else
 * that `b` asks for counts.
 */
export function nodeAnswer(a: SpecView, b: SpecView, relation: Relation): "yes" | "no" | "provider" {
  if (b.hash !== undefined && !hashBeginsWith(a, b.hash)) return "no";
  if (a.name !== b.name && a.name !== undefined && b.name !== undefined) {
    if (relation.virtuals.isVirtual(a.name) || !relation.virtuals.isVirtual(b.name)) return "no";
    return providesVirtual(a, b, relation) ? "provider" : "no";
  }
  if (b.namespace !== undefined && a.namespace !== undefined && a.namespace !== b.namespace) return "no";
  if (!versionsSatisfy(a.versions, b.versions)) return "no";
  if (b.compiler !== undefined) {
    if (a.compiler?.name !== b.compiler.name) return "no";
    if (!versionsSatisfy(a.compiler.versions, b.compiler.versions)) return "no";
  }
  if (!variantsSatisfy(a, b, relation)) return "no";
  if (!archSatisfies(a.arch, b.arch, relation)) return "no";
  return flagsSatisfy(a.flags, b.flags) ? "yes" : "no";
}

/** True if one package can provide both virtual packages. */
function haveCommonProvider(a: SpecView, b: SpecView, relation: Relation): boolean {
  const { virtuals } = relation;
  const offers = (name: string, wanted: SpecView) =>
    (virtuals.provided?.(name) ?? []).filter(
      ({ virtual }) => virtual.name === wanted.name && nodeIntersects(virtual, wanted, relation),
    );
  return (virtuals.providersOf?.(a.name ?? "") ?? []).some((name) =>
    offers(name, a).some((left) =>
      offers(name, b).some((right) => nodeIntersects(left.when, right.when, relation)),
    ),
  );
}

/** Two different names: can one be a provider of the other, which is virtual? */
function namesIntersect(a: SpecView, b: SpecView, relation: Relation): boolean {
  const { virtuals } = relation;
  const left = a.name ?? "";
  const right = b.name ?? "";
  const leftVirtual = virtuals.isVirtual(left);
  const rightVirtual = virtuals.isVirtual(right);
  if (leftVirtual && rightVirtual) return haveCommonProvider(a, b, relation);
  if (!leftVirtual && !rightVirtual) return false;
  const [virtual, provider] = leftVirtual ? [a, b] : [b, a];
  if (!hasKnownRecipe(provider)) return false;
  const known = virtuals.provided?.(provider.name ?? "");
  if (known === undefined) return virtuals.provides(provider.name ?? "", virtual.name ?? "");
  return known.some(
    ({ virtual: provided, when }) =>
      provided.name === virtual.name &&
      nodeIntersects(provider, when, relation) &&
      nodeIntersects(provided, virtual, relation),
  );
}

/** Like intersects, but for the nodes only. */
export function nodeIntersects(a: SpecView, b: SpecView, relation: Relation): boolean {
  const { dialect } = relation;
  if (a.hash !== undefined && b.hash !== undefined)
    if (!a.hash.startsWith(b.hash) && !b.hash.startsWith(a.hash)) return false;
  if (a.name !== b.name && a.name !== undefined && b.name !== undefined)
    return namesIntersect(a, b, relation);
  if (b.namespace !== undefined && a.namespace !== undefined && a.namespace !== b.namespace) return false;
  // As in Spack, a set without any version is not compared.
  const comparable = a.versions.items.length > 0 && b.versions.items.length > 0;
  if (comparable && !versionsIntersect(a.versions, b.versions)) return false;
  if (a.compiler !== undefined && b.compiler !== undefined) {
    if (a.compiler.name !== b.compiler.name) return false;
    if (!versionsIntersect(a.compiler.versions, b.compiler.versions)) return false;
  }
  for (const [name, variant] of b.variants) {
    const has = a.variants.get(name);
    if (has !== undefined && !variantIntersects(has, variant, dialect)) return false;
  }
  return a.arch === undefined || b.arch === undefined || archIntersects(a.arch, b.arch, relation);
}
