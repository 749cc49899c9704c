/** Tests concrete specs against constraints given as text. */
import type { ConcreteSpec, SpecGraph } from "../spec/concrete.ts";
import { dialectOf } from "../spec/format.ts";
import { parseSpec } from "../spec/parse.ts";
import { concreteSatisfies } from "../spec/satisfies.ts";

/**
 * A test of the specs of a graph against constraints as text. Each text is read once; it is read in the dialect of the
 * spec that is tested.
 */
export function specTester(graph: SpecGraph): (spec: ConcreteSpec, constraint: string) => boolean {
  const parsed = new Map<string, ReturnType<typeof parseSpec>>();
  return (spec, constraint) => {
    const dialect = dialectOf(spec.specfileVersion);
    const key = `${dialect} ${constraint}`;
    let read = parsed.get(key);
    if (read === undefined) {
      read = parseSpec(constraint, { dialect });
      parsed.set(key, read);
    }
    return concreteSatisfies(graph, spec.hash, read, { dialect });
  };
}
