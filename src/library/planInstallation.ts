import type { CachedPackage } from "../buildcache/types.ts";
import type { InstallOptions, InstallRequest } from "../install/types.ts";
import { planInstalls } from "../pipeline/plan/makeFragments.ts";
import { packagePrefixes } from "../pipeline/plan/packagePrefixes.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";

/** Where and how packages are installed; everything may be left out. */
export interface InstallationOptions {
  /** Install root, absolute; default `/opt/software`. */
  readonly root?: string | undefined;
  /** Prefixes below the root: pairs of a spec (or `all`) and a projection; default as Spack has them. */
  readonly projections?: readonly (readonly [spec: string, projection: string])[] | undefined;
  /** Remove debug sections and symbol tables; default true. */
  readonly strip?: boolean | undefined;
  /** What becomes of scripts that Spack's `sbang` starts; default `undo`, where their first lines fit. */
  readonly sbang?: InstallOptions["sbang"] | undefined;
  /** Keep the packages' `.spack` folders; default false. */
  readonly metadata?: boolean | undefined;
}

/** A package that is to be installed. */
export interface PlannedInstallation {
  readonly package: CachedPackage;
  /** Absolute. */
  readonly prefix: string;
  /** For `installPackage`: complete it with the path and the digest of the archive that was fetched. */
  readonly request: Omit<InstallRequest, "archivePath" | "archiveDigest">;
}

/**
 * Where packages go, and what of them has to be changed for it. Pure.
 *
 * @param packages verified, with all that they need at run time among them
 */
export function planInstallation(
  packages: readonly CachedPackage[],
  options: InstallationOptions = {},
): readonly PlannedInstallation[] {
  const { root = "/opt/software", projections, strip = true, sbang = "undo", metadata = false } = options;
  const graph = new Map<DagHash, ConcreteSpec>(packages.flatMap((one) => [...one.graph]));
  const [first] = packages;
  if (first === undefined) return [];
  const prefixes = packagePrefixes(
    [...graph.values()].filter((spec) => spec.external === undefined),
    graph,
    {
      root,
      configured: projections,
      environment: { dialect: first.generation, config: { projections: [] } },
    },
  );
  const plan = { graph, prefixes, root, options: { strip, sbang, metadata } };
  return planInstalls(packages, plan).map(({ spec, cached, request }) => ({
    package: cached,
    prefix: prefixes.get(spec.hash) ?? "",
    request,
  }));
}
