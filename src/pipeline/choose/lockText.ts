import type { Resolution } from "../../concretize/types.ts";
import type { Environment } from "../../environment/types.ts";
import { lockDialect, writeLock } from "../../environment/writeLock.ts";
import type { Dialect } from "../../spec/abstract.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../spec/concrete.ts";
import { formatSpec } from "../../spec/format.ts";
import { parseSpec } from "../../spec/parse.ts";
import { SpacktainersError } from "../../util/errors.ts";

/**
 * The `spack.lock` that says what was chosen, with the user's specs in Spack's own writing.
 *
 * @param graph at least what the roots need at run time; build dependencies that it does not have are left out
 */
export function lockText(environment: Environment, resolution: Resolution, graph: SpecGraph): string {
  const dialect = lockDialect(graph);
  return writeLock(
    {
      roots: resolution.roots
        .filter(({ included }) => included === undefined)
        .map(({ request, hash }) => ({ request: inDialect(request, dialect), hash })),
      included: environment.included,
      graph: withoutDanglingEdges(graph),
    },
    dialect,
  );
}

/** Caches need not know what their packages were built with. Spack reads a lock only if all of its edges lead somewhere. */
function withoutDanglingEdges(graph: SpecGraph): ReadonlyMap<DagHash, ConcreteSpec> {
  return new Map(
    [...graph].map(([hash, spec]) => {
      const kept = spec.dependencies.filter(
        (edge) => graph.has(edge.hash) || edge.types.has("link") || edge.types.has("run"),
      );
      return [hash, kept.length === spec.dependencies.length ? spec : { ...spec, dependencies: kept }];
    }),
  );
}

function inDialect(text: string, dialect: Dialect): string {
  try {
    return formatSpec(parseSpec(text, { dialect }), dialect);
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) return text;
    throw thrown;
  }
}
