/** When two choices differ only by what a cache cannot tell. */
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import type { Candidate } from "./candidates.ts";
import type { ChoiceContext } from "./chooseFromCaches.ts";
import { criteria, variantCriteria } from "./criteria.ts";
import { costOf, rootNamesOf, type Slot } from "./search.ts";

/**
 * True if two choices of roots are equal in everything that Spack weighs before default values of variants, and differ in
 * variants that nobody asked for and whose default is not known: which of the two Spack prefers only recipes can tell.
 *
 * @param ours hashes of the roots, in any order
 * @param theirs hashes of the roots, in any order
 */
export function isDefaultsTie(
  context: ChoiceContext,
  ours: readonly DagHash[],
  theirs: readonly DagHash[],
): boolean {
  const slots: Slot[] = context.candidates.map(({ usable, virtual }) => ({
    candidates: usable(),
    virtual,
  }));
  const mine = assign(slots, ours);
  const other = assign(slots, theirs);
  if (mine === undefined || other === undefined) return false;
  const [costA, costB] = [costOf(mine, slots, context.model), costOf(other, slots, context.model)];
  const rootNames = rootNamesOf(slots);
  const differing = openDifferences(context, mine, other);
  for (const [index, criterion] of criteria.entries()) {
    if (variantCriteria.roots.includes(criterion) && differing.some((spec) => rootNames.has(spec.name)))
      return true;
    if (variantCriteria.others.includes(criterion) && differing.some((spec) => !rootNames.has(spec.name)))
      return true;
    if (costA[index] !== costB[index]) return false;
  }
  return false;
}

/** For each slot the candidate that is among the hashes. */
function assign(slots: readonly Slot[], hashes: readonly DagHash[]): readonly Candidate[] | undefined {
  const chosen = slots.flatMap(
    ({ candidates }) => candidates.find(({ spec }) => hashes.includes(spec.hash)) ?? [],
  );
  return chosen.length === slots.length ? chosen : undefined;
}

/** Packages that differ between two choices in a variant that nobody asked for. */
function openDifferences(
  { model }: ChoiceContext,
  a: readonly Candidate[],
  b: readonly Candidate[],
): readonly ConcreteSpec[] {
  const nodesOf = (choice: readonly Candidate[]) =>
    new Map(choice.flatMap(({ closure }) => closure.nodes.map((node) => [node.name, node] as const)));
  const others = nodesOf(b);
  return [...nodesOf(a).values()].filter((node) => {
    const other = others.get(node.name);
    if (other === undefined || other.hash === node.hash) return false;
    return [...model.undeterminedVariants(node)].some(
      ([name, value]) => JSON.stringify(other.variants.get(name)) !== JSON.stringify(value),
    );
  });
}
