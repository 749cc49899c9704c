import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** A program of the environment that `scripts/install-components.sh` makes; by its name alone when it is not there. */
export function scratchPython(program: string): string {
  const path = join(resolve(import.meta.dirname, "../.."), ".scratch/python/bin", program);
  return existsSync(path) ? path : program;
}
