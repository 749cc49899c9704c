import type { Architecture } from "../../definitions/configuration.ts";
import type { Repository } from "../../definitions/repository.ts";
import { hostArchitecture } from "../../definitions/select.ts";
import { openHttp } from "../../net/http.ts";
import { type Builder, openBuilder } from "../../pipeline/compile/builder.ts";
import { cacheSources, trustOf } from "../../pipeline/workspace/workspace.ts";
import type { EmitEvent } from "../../util/events.ts";

/** What a command line says of caches, and whom to tell. */
export interface SpackTools {
  readonly directory: string;
  readonly caches: readonly string[];
  readonly trust: readonly string[];
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
  { directory, caches, trust, emit, signal }: SpackTools,
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
    });
  } finally {
    await http.close();
  }
}
