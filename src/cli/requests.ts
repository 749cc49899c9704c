/** Turns the options of verbs into requests. */
import { resolve } from "node:path";
import type { CacheRequest } from "../commands/cache/openNamedCaches.ts";
import type { TargetOptions } from "../commands/cache/openTarget.ts";
import { builderImage } from "../definitions/builderImage.ts";
import { type BuildingRequest, completeBuilding } from "../pipeline/workspace/buildingRequest.ts";
import type { ImageSettingsRequest } from "../pipeline/workspace/buildRequest.ts";
import type { ResourcesRequest } from "../pipeline/workspace/resources.ts";
import type { VerbContext } from "./context.ts";
import type {
  BuildingOptions,
  CacheOptions,
  FailFastOptions,
  ImageOptions,
  InstallFlags,
  ResourcesOptions,
  TargetCacheOptions,
} from "./options.ts";

/** What `addResourcesOptions` asked for, as work takes it. */
export function resourcesRequest(
  { directory, reporter, signal }: VerbContext,
  options: ResourcesOptions,
): ResourcesRequest {
  return {
    directory,
    caches: options.cache ?? [],
    trust: options.trust ?? [],
    refresh: options.refresh === true,
    jobs: options.jobs,
    emit: reporter.emit,
    signal,
  };
}

/** What `addCacheOptions` asked for, on a verb that works on caches alone. */
export function cacheRequest(
  { directory, reporter, signal }: VerbContext,
  options: CacheOptions,
): CacheRequest {
  return {
    directory,
    caches: options.cache ?? [],
    trust: options.trust ?? [],
    refresh: options.refresh === true,
    emit: reporter.emit,
    signal,
  };
}

/** What `addTargetOptions` asked for. */
export function targetRequest({ sign, unsigned, layout }: TargetCacheOptions): TargetOptions {
  return { sign, unsigned: unsigned === true, layout };
}

/** What `addInstallOptions` asked for. */
export function installRequest(options: InstallFlags): Pick<ImageSettingsRequest, "strip" | "keepMetadata"> {
  return { strip: options.strip ? undefined : false, keepMetadata: options.keepMetadata === true };
}

/** What `addImageOptions` and `addResourcesOptions` asked for. */
export function imageRequest(
  context: VerbContext,
  options: ImageOptions & ResourcesOptions,
  names: readonly string[],
): ImageSettingsRequest {
  return {
    ...resourcesRequest(context, options),
    ...installRequest(options),
    names,
    arch: options.arch,
    allowUnresolved: options.allowUnresolved ?? [],
    buildArguments: new Map(options.buildArg ?? []),
    epilogueNetwork: options.epilogueNetwork,
    frozen: options.frozen === true,
    failFast: options.failFast === true,
  };
}

/** What `addBuildingOptions` (with `--jobs` and `--fail-fast`) asked for. */
export function buildingRequest(
  options: BuildingOptions & FailFastOptions & Pick<ResourcesOptions, "jobs"> & { readonly frozen?: boolean },
): BuildingRequest {
  return completeBuilding(
    {
      allowed: options.compile,
      solve: options.solve === true,
      fresh: options.fresh === true,
      onFailure: options.keepGoing === true ? "keep-going" : options.failFast === true ? "stop" : "finish",
      executor: options.executor,
      builder:
        options.builder === undefined ? undefined : builderImage(options.builder, (path) => resolve(path)),
      atOnce: options.jobs,
      onlyDependencies: options.onlyDependencies === true,
      until: options.until,
    },
    options.frozen === true,
  );
}
