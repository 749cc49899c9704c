import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Where this program keeps what it can make again: `$XDG_CACHE_HOME/spacktainers`, by default `~/.cache/spacktainers`
 * (XDG Base Directory specification; a relative `XDG_CACHE_HOME` is ignored, as it says).
 */
export function cacheHome(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env.XDG_CACHE_HOME;
  const base = xdg?.startsWith("/") ? xdg : join(homedir(), ".cache");
  return join(base, "spacktainers");
}
