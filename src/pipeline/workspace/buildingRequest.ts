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

/** A {@link BuildingRequest} of which everything may be left out. */
export type PartialBuilding = {
  readonly [Field in keyof BuildingRequest]?: BuildingRequest[Field] | undefined;
};

/**
 * A request that says everything. Who asks Spack to choose, or for no image, wants what is missing built; where only what the locks
 * say is allowed, nothing is.
 *
 * @param given what was asked for; the rest is as configured, or no
 * @param frozen only what the locks say is allowed
 */
export function completeBuilding(given: PartialBuilding, frozen: boolean): BuildingRequest {
  const { fresh = false, onlyDependencies = false, until } = given;
  const solve = given.solve === true || fresh;
  const asked = onlyDependencies || until !== undefined;
  return {
    allowed: frozen ? false : (given.allowed ?? (solve || asked ? true : undefined)),
    solve,
    fresh,
    onFailure: given.onFailure ?? "finish",
    executor: given.executor,
    builder: given.builder,
    atOnce: given.atOnce,
    onlyDependencies,
    until,
  };
}
