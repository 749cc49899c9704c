/** Whether a spec has some dependency, at any depth; answers can be kept for many specs of one graph. */
import type { DependencyType } from "./concrete.ts";
import { type EdgeView, edgeHasType, type ReachQuestion, type SpecView } from "./specView.ts";

const linkRun: readonly DependencyType[] = ["link", "run"];
const build: readonly DependencyType[] = ["build"];

/** Whether an edge that `^name` can mean passes the test: one of the link/run graph, or a direct build dependency. */
export function reachesByName(
  root: SpecView,
  asked: ReachQuestion,
  test: (edge: EdgeView) => boolean,
): boolean {
  return (
    reaches(root, linkRun, asked, test) ||
    root.dependencies.some((edge) => edgeHasType(edge, build) && test(edge))
  );
}

/**
 * Whether an edge below the root passes the test.
 *
 * @param types the edges that are followed; undefined: all
 */
export function reaches(
  root: SpecView,
  types: readonly DependencyType[] | undefined,
  asked: ReachQuestion,
  test: (edge: EdgeView) => boolean,
): boolean {
  const answers = asked.relation.answers?.of(asked);
  const known = answers?.get(root);
  if (known !== undefined) return known;
  let isOpen = false;
  for (const edge of root.dependencies) {
    if (types !== undefined && !edgeHasType(edge, types)) continue;
    const below = answers?.get(edge.spec);
    if (below === true || test(edge)) {
      answers?.set(root, true);
      return true;
    }
    isOpen ||= below === undefined;
  }
  if (!isOpen) {
    answers?.set(root, false);
    return false;
  }
  /** By node, from where it was reached. */
  const cameFrom = new Map<SpecView, SpecView | undefined>([[root, undefined]]);
  for (const node of cameFrom.keys())
    for (const edge of node.dependencies) {
      if (types !== undefined && !edgeHasType(edge, types)) continue;
      const below = answers?.get(edge.spec);
      if (below === true || test(edge)) {
        // What leads here reaches it, too.
        for (let at: SpecView | undefined = node; at !== undefined; at = cameFrom.get(at))
          answers?.set(at, true);
        return true;
      }
      if (below === undefined && !cameFrom.has(edge.spec)) cameFrom.set(edge.spec, node);
    }
  // Of none that was seen, an edge passes: each of their edges was tested, or leads to where none does.
  if (answers !== undefined) for (const node of cameFrom.keys()) answers.set(node, false);
  return false;
}
