/** What building takes: a Spack for the platform, and how the caller wants it done. */
import { availableParallelism } from "node:os";
import type { Architecture, Configuration } from "../../definitions/configuration.ts";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import type { HttpClient } from "../../net/http.ts";
import { type BuildTimes, openBuildTimes } from "../../spack/buildTimes.ts";
import { requireBuildTools } from "../../spack/hostTools.ts";
import { findMachinePackages, type MachinePackages } from "../../spack/machinePackages.ts";
import { openSpack, type Spack } from "../../spack/spack.ts";
import { writeScope } from "../../spack/workEnvironment.ts";
import type { ConcreteSpec } from "../../spec/concrete.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { type BuildPlace, coresOf } from "./openExecutor.ts";

/** Brings built packages to where others find them. */
export interface Publish {
  /**
   * Refuses, before anything is built, a key that the readers of a cache do not trust: nobody could use what it signs.
   *
   * @throws SpacktainersErrors KEY_UNKNOWN; each names the cache
   */
  prepare(): Promise<void>;
  /**
   * Publishes a package that was built.
   *
   * @param cache folder of the build cache that has it, without signatures
   */
  put(spec: ConcreteSpec, cache: string): Promise<void>;
}

/** A Spack that is ready to choose and to build for one platform. */
export interface Builder {
  readonly spack: Spack;
  /** What it takes of the machine, or of the builder image. */
  readonly machine: MachinePackages;
  /** Folder of its configuration scope. */
  readonly scope: string;
  /** Newest microarchitecture that packages may be built for. */
  readonly target: string;
  readonly times: BuildTimes;
  /** Packages at a time. */
  readonly atOnce: number;
  /** Cores of this machine, or of a job. */
  readonly cores: number;
  readonly place: BuildPlace;
}

/**
 * Gets everything that building for a platform takes.
 *
 * @throws SpacktainersError NOT_SUPPORTED for another processor than this machine's; RUNTIME_MISSING naming what the machine
 *   lacks; as `openSpack` and `findMachinePackages`
 */
export async function openBuilder(
  configuration: Pick<Configuration, "platforms" | "spack">,
  architecture: Architecture,
  tools: {
    readonly http: HttpClient;
    readonly emit: EmitEvent;
    readonly signal: AbortSignal;
    readonly trust: string;
    readonly atOnce: number | undefined;
    readonly place: BuildPlace;
  },
): Promise<Builder> {
  const { http, emit, signal, trust, place } = tools;
  const host = hostArchitecture();
  if (host !== architecture)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `packages for ${architecture} cannot be built on this machine`,
      {
        hint: `it is ${host}: build them on a machine of that architecture, and take them from a build cache here`,
      },
    );
  // What compiles elsewhere is looked for there.
  if (place.executor === "host") await requireBuildTools();
  emit({ type: "stage", stage: "prepare-spack" });
  const spack = await openSpack(configuration.spack, { http, emit, signal, trust, builder: place.builder });
  const { target } = configuration.platforms[architecture];
  const machine = await findMachinePackages(spack, signal);
  const cores = await coresOf(place, configuration.spack, availableParallelism());
  return {
    spack,
    machine,
    scope: await writeScope(spack, { target, machine }),
    target,
    times: openBuildTimes(spack.folders.times),
    atOnce:
      tools.atOnce ??
      // Slurm decides that itself.
      (place.executor === "slurm" ? Number.POSITIVE_INFINITY : packagesAtOnce(availableParallelism())),
    cores,
    place,
  };
}

/** Packages that are built at a time: few, since each uses several cores, but never one alone, since none uses them all the time. */
export function packagesAtOnce(cores: number): number {
  return Math.min(cores, 8, Math.ceil(cores / 4) + 1);
}
