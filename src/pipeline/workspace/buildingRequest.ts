import type { ExecutorName } from "../../definitions/executorNames.ts";
import type { FailurePolicy } from "../../spack/schedule.ts";

/** How to build what no cache has, as a command line asks for it. */
export interface BuildingRequest {
  /** Undefined: as configured. */
  readonly allowed: boolean | undefined;
  /** Choose with Spack, whatever the caches or a lock could answer. */
  readonly solve: boolean;
  /** Choose the newest of everything rather than what is there. */
  readonly fresh: boolean;
  readonly onFailure: FailurePolicy;
  /** Undefined: as configured. */
  readonly executor?: ExecutorName | undefined;
  /** Builder image, an absolute path or a reference; undefined: as configured. */
  readonly builder?: string | undefined;
  /** Packages at a time; undefined: by cores. */
  readonly atOnce: number | undefined;
  /** Build only what the roots need, and no image. */
  readonly onlyDependencies: boolean;
  /** Stop the roots after this phase, and make no image. */
  readonly until: string | undefined;
}
