import type { Architecture } from "../../definitions/configuration.ts";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import type { Repository } from "../../definitions/repository.ts";
import { openHttp } from "../../net/http.ts";
import { type Builder, openBuilder } from "../../pipeline/compile/builder.ts";
import { buildPlace } from "../../pipeline/compile/openExecutor.ts";
import type { BuildingRequest } from "../../pipeline/workspace/buildingRequest.ts";
import { cacheSources, trustOf } from "../../pipeline/workspace/workspace.ts";
import type { EmitEvent } from "../../util/events.ts";

/** What a command line says of caches, and whom to tell. */
export interface SpackTools {
  readonly directory: string;
  readonly caches: readonly string[];
  readonly trust: readonly string[];
  /** What a command line says of where Spack runs. */
  readonly place?: Pick<BuildingRequest, "executor" | "builder"> | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * The Spack of a repository's configuration, as `build` uses it.
 *
 * @throws SpacktainersError as `openBuilder`
 */
export async function openRepositorySpack(
  { configuration }: Repository,
  { directory, caches, trust, place, emit, signal }: SpackTools,
  architecture: Architecture = hostArchitecture(),
): Promise<Builder> {
  const sources = await cacheSources(configuration, { caches, trust }, directory);
  const http = openHttp({ emit, signal });
  try {
    return await openBuilder(configuration, architecture, {
      http,
      emit,
      signal,
      trust: trustOf(sources),
      atOnce: undefined,
      place: buildPlace(configuration, place),
    });
  } finally {
    await http.close();
  }
}
