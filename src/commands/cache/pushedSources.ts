import type { CacheSource } from "../../buildcache/types.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { CacheRequest, NamedCaches } from "./openNamedCaches.ts";

/**
 * The caches that a subcommand may change: those that the command line names, else those of the configuration that are pushed to.
 * It does not change the caches of others.
 *
 * @throws {SpacktainersError} `USAGE` when there are none
 */
export function pushedSources(
  { repository, sources }: Pick<NamedCaches, "repository" | "sources">,
  { caches }: Pick<CacheRequest, "caches">,
): readonly CacheSource[] {
  const pushed = new Set(repository.configuration.caches.filter(({ push }) => push).map(({ url }) => url));
  const found = caches.length > 0 ? sources : sources.filter(({ url }) => pushed.has(url));
  if (found.length > 0) return found;
  throw new SpacktainersError("USAGE", "no configured cache has `push: true`", {
    hint: "add `push: true` to yours, or name it: --cache URL",
  });
}
