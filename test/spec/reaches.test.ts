import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSpec } from "../../src/spec/parse.ts";
import { reaches, reachesByName } from "../../src/spec/reaches.ts";
import {
  allEdges,
  type EdgeView,
  ReachAnswers,
  type Relation,
  type SpecView,
} from "../../src/spec/specView.ts";
import { builtinVirtuals } from "../../src/spec/virtuals.ts";

const kinds = [["link"], ["run"], ["build"], ["link", "run"], []] as const;
const anything = parseSpec("pkg", { dialect: "1.x" });

/** Nodes with any edges between them, circles included. */
function nodesOf(pairs: readonly (readonly [from: number, to: number, kind: number])[]): readonly SpecView[] {
  const edges = Array.from({ length: 8 }, (): EdgeView[] => []);
  const nodes = edges.map((dependencies, at): SpecView => ({ ...anything, name: `n${at}`, dependencies }));
  for (const [from, to, kind] of pairs) {
    const spec = nodes[to];
    if (spec !== undefined)
      edges[from]?.push({ spec, types: new Set(kinds[kind]), virtuals: [], direct: false });
  }
  return nodes;
}

const graphs = fc.array(fc.tuple(fc.nat(7), fc.nat(7), fc.nat(4)), { maxLength: 24 });
const wanted: EdgeView = { spec: anything, types: new Set(), virtuals: [], direct: false };

describe("whether a spec has a dependency at any depth", () => {
  it("is answered as by looking at all edges, whatever was asked before", () => {
    fc.assert(
      fc.property(graphs, fc.nat(7), fc.array(fc.nat(7)), (pairs, target, order) => {
        const nodes = nodesOf(pairs);
        const plain: Relation = { dialect: "1.x", virtuals: builtinVirtuals("1.x") };
        const keeping: Relation = { ...plain, answers: new ReachAnswers() };
        const test = ({ spec }: EdgeView): boolean => spec.name === `n${target}`;
        const linkRun = (root: SpecView): boolean => {
          const seen = new Set([root]);
          for (const node of seen)
            for (const edge of node.dependencies)
              if (edge.types.size === 0 || edge.types.has("link") || edge.types.has("run")) {
                if (test(edge)) return true;
                seen.add(edge.spec);
              }
          return false;
        };
        for (const at of order) {
          const root = nodes[at];
          if (root === undefined) continue;
          for (const relation of [plain, keeping]) {
            const all = reaches(root, undefined, { wanted, relation, question: "all" }, test);
            expect(all).toBe(allEdges(root).some(({ edge }) => test(edge)));
            const named = reachesByName(root, { wanted, relation, question: "named" }, test);
            const builds = root.dependencies.some(
              (edge) => (edge.types.size === 0 || edge.types.has("build")) && test(edge),
            );
            expect(named).toBe(linkRun(root) || builds);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
