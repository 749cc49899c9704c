import type { ConcreteSpec, DagHash, SpecGraph } from "./concrete.ts";

/** A compiler, as a package or by name. */
export interface CompilerName {
  readonly name: string;
  readonly version: string;
  /** Where it is a node of the DAG. */
  readonly hash?: DagHash;
}

/**
 * The compiler that built a package, where it is known: an attribute of old specs, an annotation of those carried over,
 * else the dependency that provides C, C++ or Fortran; undefined when there is none or its spec is not in the graph.
 */
export function compilerOf(
  spec: ConcreteSpec,
  graph: Pick<SpecGraph, "get"> | undefined,
): CompilerName | undefined {
  if (spec.compiler !== undefined) return spec.compiler;
  const annotated = spec.annotations;
  if (annotated !== undefined && annotated.originalSpecfileVersion < 5 && annotated.compiler !== undefined) {
    const [name = "", version = ""] = annotated.compiler.split("@");
    return { name, version: version.replace(/^=/, "") };
  }
  for (const language of ["c", "cxx", "fortran"]) {
    const edge = spec.dependencies.find((each) => each.virtuals.includes(language));
    if (edge !== undefined) return graph?.get(edge.hash);
  }
  return undefined;
}
