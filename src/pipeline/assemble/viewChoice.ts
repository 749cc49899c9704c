import type { Environment } from "../../environment/types.ts";
import { runtimeClosure, topologicalOrder } from "../../spec/closure.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../spec/concrete.ts";
import { projectPath } from "../../spec/projection.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";
import type { ViewLinkType } from "../../view/types.ts";

/** What the manifest says of the view. */
export interface ViewChoice {
  readonly linkType: ViewLinkType;
  /** True for packages that the view shows. */
  shows(
    spec: ConcreteSpec,
    resolved: { readonly graph: SpecGraph; readonly roots: readonly DagHash[] },
  ): boolean;
  /** Folder in the view a package goes to. */
  projectionOf(spec: ConcreteSpec): string;
}

/**
 * The view that an image gets at the contract's place: the manifest's `default` view, else its first. A manifest that says
 * nothing of views has one of everything; one that says `view: false` has none.
 */
export function viewChoice(environment: Environment, graph: SpecGraph): ViewChoice | undefined {
  const settings = environment.views.find(({ name }) => name === "default") ?? environment.views[0];
  if (settings === undefined) return undefined;
  const { dialect } = environment;
  const matches = (spec: ConcreteSpec, constraint: (typeof settings.select)[number]): boolean =>
    concreteSatisfies(graph, spec.hash, constraint.spec, { dialect });
  let reached: ReadonlySet<DagHash> | undefined;
  return {
    linkType: settings.linkType,
    shows(spec, resolved) {
      reached ??= reachedBy(settings.link, resolved.graph, resolved.roots);
      if (!reached.has(spec.hash)) return false;
      if (settings.select.length > 0 && !settings.select.some((constraint) => matches(spec, constraint)))
        return false;
      return !settings.exclude.some((constraint) => matches(spec, constraint));
    },
    projectionOf(spec) {
      const specific = settings.projections.find(
        ({ spec: wanted }) => wanted !== undefined && matches(spec, wanted),
      );
      const chosen = specific ?? settings.projections.find(({ spec: wanted }) => wanted === undefined);
      return chosen === undefined ? "" : projectPath(spec, chosen.format, graph);
    },
  };
}

function reachedBy(
  link: "all" | "run" | "roots",
  graph: SpecGraph,
  roots: readonly DagHash[],
): ReadonlySet<DagHash> {
  if (link === "roots") return new Set(roots);
  const specs =
    link === "run" ? topologicalOrder(graph, roots, new Set(["run"])) : runtimeClosure(graph, roots).packages;
  return new Set(specs.map(({ hash }) => hash));
}
