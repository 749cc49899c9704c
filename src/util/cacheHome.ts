import { homedir } from "node:os";
import { join } from "node:path";
import { SpacktainersError } from "./errors.ts";
import { givenCacheDirectory, hostEnvironment } from "./surroundings.ts";

/**
 * Where this program keeps what it can make again: `$XDG_CACHE_HOME/spacktainers`, by default `~/.cache/spacktainers`
 * (XDG Base Directory specification; a relative `XDG_CACHE_HOME` is ignored, as it says). Programs that use the library can name
 * another folder.
 *
 * @param env variables to find it by, whatever was named
 */
export function cacheHome(env?: NodeJS.ProcessEnv): string {
  const given = env === undefined ? givenCacheDirectory() : undefined;
  if (given !== undefined) return given;
  const xdg = (env ?? hostEnvironment()).XDG_CACHE_HOME;
  const base = xdg?.startsWith("/") ? xdg : join(homeOf(), ".cache");
  return join(base, "spacktainers");
}

function homeOf(): string {
  try {
    return homedir();
  } catch (cause) {
    // A user without an entry in the user database, as in containers.
    throw new SpacktainersError("IO", "this user has no home directory", {
      hint: "set XDG_CACHE_HOME to a directory for what can be made again",
      cause,
    });
  }
}
