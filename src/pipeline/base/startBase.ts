import { planBase } from "../../base/buildBase.ts";
import type { BaseLock, BuildBaseOptions, PlannedBase } from "../../base/types.ts";
import type { BaseConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { platformOf } from "../../image/platform.ts";
import { isLocalImage, openLocalImage } from "../../sif/openLocalImage.ts";
import type { Resources } from "../workspace/resources.ts";
import { baseSpec } from "./baseSpec.ts";

/** What making a base works with. */
export type BaseTools = Pick<Resources, "baseCacheDir" | "registries" | "emit" | "signal">;

/** Which base. */
export interface WantedBase {
  readonly configured: BaseConfiguration;
  readonly architecture: Container["arch"];
  /** What a lock says of it; undefined: as configured. */
  readonly lock: BaseLock | undefined;
  /** Ask servers for changes, however recently that was done. */
  readonly refresh: boolean;
}

/** A base that is made while the packages are made. */
export interface StartedBase {
  readonly options: BuildBaseOptions;
  /** That it fails counts as unhandled only for those who await it. */
  readonly planned: Promise<PlannedBase>;
  /** Stops the work on the base, planned or being built, because there will be no image. Does not fail. */
  abandon(reason: unknown): Promise<void>;
}

/** How a base is made, and where it is kept. */
export function baseOptions(
  { architecture, lock, refresh }: Omit<WantedBase, "configured">,
  { baseCacheDir, registries, emit, signal }: BaseTools,
): BuildBaseOptions {
  return {
    architecture,
    cacheDir: baseCacheDir,
    emit,
    signal,
    refresh,
    repository: (name) => registries.repository(name),
    apptainerImage: async (path) =>
      (await isLocalImage(path)) ? openLocalImage(path, [platformOf(architecture)]) : undefined,
    lock,
  };
}

/** Begins to plan a base: it does not depend on the packages, so that its servers are asked while caches are. */
export function startBase(wanted: WantedBase, tools: BaseTools): StartedBase {
  const stop = new AbortController();
  const options = baseOptions(wanted, { ...tools, signal: AbortSignal.any([tools.signal, stop.signal]) });
  const planned = planBase(baseSpec(wanted.configured), options);
  planned.catch(() => {});
  return {
    options,
    planned,
    async abandon(reason) {
      stop.abort(reason);
      await planned.catch(() => {});
    },
  };
}
