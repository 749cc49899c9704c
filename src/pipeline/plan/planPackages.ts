/** The packages of a container: which, from where, and to where, decided before an archive is downloaded. */
import type { CompressionSettings } from "../../archive/layerCompression.ts";
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { InstallOptions } from "../../install/types.ts";
import type { DagHash } from "../../spec/concrete.ts";
import type { EmitEvent } from "../../util/events.ts";
import { type ResolvedPackages, resolvePackages } from "../choose/resolvePackages.ts";
import { checkPrefixesFit } from "./checkPrefixesFit.ts";
import { layerSettings } from "./layerSettings.ts";
import { type PlannedFragment, planFragments } from "./makeFragments.ts";
import type { OpenedContainer } from "./openContainer.ts";
import { packagePrefixes } from "./packagePrefixes.ts";

/** Where packages are installed, and how. */
export interface InstallSettings {
  /** Install root, absolute. */
  readonly root: string;
  readonly options: InstallOptions;
  /** Of the fragments. */
  readonly compression: CompressionSettings;
}

/** The packages of a container, ready to be installed. */
export interface PackagePlan {
  readonly resolved: ResolvedPackages;
  readonly prefixes: ReadonlyMap<DagHash, string>;
  /** In the order of `resolved.packages`: dependents before dependencies. */
  readonly fragments: readonly PlannedFragment[];
}

/** How packages are installed into an image. */
export function imageSettings(
  configuration: Pick<Configuration, "install" | "layers" | "strip">,
  request: { readonly strip: boolean | undefined; readonly keepMetadata: boolean },
): InstallSettings {
  return {
    root: configuration.install.root,
    options: { strip: request.strip ?? configuration.strip, sbang: "undo", metadata: request.keepMetadata },
    compression: layerSettings(configuration),
  };
}

/**
 * Chooses the packages of a container, and decides where each goes. Metadata is asked for, of archives the beginning at most.
 *
 * @throws {SpacktainersError} as `resolvePackages`; of locks; `PREFIX_TOO_LONG`
 */
export async function planPackages(
  opened: Pick<OpenedContainer, "loaded" | "locks"> & {
    readonly container: Pick<OpenedContainer["container"], "arch">;
    readonly configuration: Pick<Configuration, "platforms" | "spack" | "install">;
  },
  { root, options, compression }: InstallSettings,
  { caches, emit }: { readonly caches: CacheSet; readonly emit: EmitEvent },
): Promise<PackagePlan> {
  const { container, configuration, loaded, locks } = opened;
  const settings = { architecture: container.arch, configuration };
  const resolved = await resolvePackages(loaded, settings, { caches, emit });
  const { graph, packages } = resolved;
  locks.checkPackages(packages);
  const prefixes = packagePrefixes(
    packages.map(({ spec }) => spec),
    graph,
    { root, configured: configuration.install.projections, environment: loaded.environment },
  );
  await checkPrefixesFit(packages, prefixes, root, caches);
  const fragments = planFragments(packages, { graph, prefixes, root, options }, compression);
  return { resolved, prefixes, fragments };
}
