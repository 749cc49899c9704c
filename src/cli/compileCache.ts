import { existsSync, mkdirSync } from "node:fs";
import * as nodeModule from "node:module";
import { join } from "node:path";
import { cacheHome } from "../util/cacheHome.ts";

/**
 * Keeps compiled code between runs, below the user's own cache home: Node's default is a folder of the machine's
 * temporary directory that another user may have made. Does nothing where Node cannot (before 22.1) or where there is
 * no home; `NODE_DISABLE_COMPILE_CACHE=1` turns it off.
 */
export function useCompileCache(): void {
  const { enableCompileCache } = nodeModule as { enableCompileCache?: (directory: string) => unknown };
  if (enableCompileCache === undefined) return;
  try {
    const given = process.env.NODE_COMPILE_CACHE;
    if (given !== undefined) enableCompileCache(given);
    else {
      // One step at a time: where no directory can be made at all (`/proc`), Node would try for ever.
      const home = cacheHome();
      for (const folder of [home, join(home, "compiled")]) makeIfMissing(folder);
      enableCompileCache(join(home, "compiled"));
    }
  } catch {
    // It only saves time.
  }
}

/** @throws errors of the system: what is above it has to be there */
function makeIfMissing(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder);
}
