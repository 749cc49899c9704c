import type { Environment } from "../../environment/types.ts";
import type { AbstractSpec, Dialect } from "../../spec/abstract.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../spec/concrete.ts";
import { parseSpec } from "../../spec/parse.ts";
import { defaultProjection, projectPath } from "../../spec/projection.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";

/** A projection: which specs (all when undefined) get which path below the root. */
interface PrefixProjection {
  readonly spec: AbstractSpec | undefined;
  readonly format: string;
}

/** Where packages go. */
export interface PrefixOptions {
  /** Install root, absolute. */
  readonly root: string;
  /** `install.projections` of the configuration; it comes before the manifest's. */
  readonly configured: readonly (readonly [string, string])[] | undefined;
  readonly environment: Pick<Environment, "dialect"> & {
    readonly config: Pick<Environment["config"], "projections">;
  };
}

/**
 * The prefix of every package, absolute: below the root by the first projection that the spec satisfies, else by that for
 * `all`, else as the Spack generation that made the package lays out its install tree.
 */
export function packagePrefixes(
  packages: readonly ConcreteSpec[],
  graph: SpecGraph,
  options: PrefixOptions,
): ReadonlyMap<DagHash, string> {
  const { dialect, config } = options.environment;
  const projections =
    options.configured === undefined
      ? config.projections.map(({ spec, format }) => ({ spec: spec?.spec, format }))
      : options.configured.map(([spec, format]) => ({
          spec: spec === "all" ? undefined : parseSpec(spec, { dialect }),
          format,
        }));
  const root = options.root.replace(/\/+$/, "");
  return new Map(
    packages.map((spec) => [
      spec.hash,
      `${root}/${projectPath(spec, formatOf(spec, graph, projections, dialect), graph)}`,
    ]),
  );
}

function formatOf(
  spec: ConcreteSpec,
  graph: SpecGraph,
  projections: readonly PrefixProjection[],
  dialect: Dialect,
): string {
  const specific = projections.find(
    (projection) =>
      projection.spec !== undefined && concreteSatisfies(graph, spec.hash, projection.spec, { dialect }),
  );
  const chosen = specific ?? projections.find((projection) => projection.spec === undefined);
  return chosen?.format ?? defaultProjection(spec.specfileVersion);
}
