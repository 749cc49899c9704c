/** Turns the options of verbs into requests. */
import { resolve } from "node:path";
import type { CacheRequest } from "../commands/cache/openNamedCaches.ts";
import type { TargetOptions } from "../commands/cache/openTarget.ts";
import { builderImage } from "../definitions/builderImage.ts";
import { type BuildingRequest, completeBuilding } from "../pipeline/workspace/buildingRequest.ts";
import type { ImageRequest } from "../pipeline/workspace/buildRequest.ts";
import type { WorkshopRequest } from "../pipeline/workspace/workshop.ts";
import type { VerbContext } from "./context.ts";
import type {
  BuildingOptions,
  CacheOptions,
  FailFastOptions,
  ImageOptions,
  InstallOptions,
  TargetCacheOptions,
  WorkshopOptions,
} from "./options.ts";

/** What `addWorkshopOptions` asked for, as work takes it. */
export function workshopRequest(
  { directory, reporter, signal }: VerbContext,
  options: WorkshopOptions,
): WorkshopRequest {
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
export function installRequest(options: InstallOptions): Pick<ImageRequest, "strip" | "keepMetadata"> {
  return { strip: options.strip ? undefined : false, keepMetadata: options.keepMetadata === true };
}

/** What `addImageOptions` and `addWorkshopOptions` asked for. */
export function imageRequest(
  context: VerbContext,
  options: ImageOptions & WorkshopOptions,
  names: readonly string[],
): ImageRequest {
  return {
    ...workshopRequest(context, options),
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
  options: BuildingOptions & FailFastOptions & Pick<WorkshopOptions, "jobs"> & { readonly frozen?: boolean },
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
