import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The process of a build that the stand-in for Spack lets hang.
 *
 * @param logs folder with a folder of logs for each run
 * @returns 0 while no log names one
 */
export function hangingBuild(logs: string): number {
  for (const run of existsSync(logs) ? readdirSync(logs) : [])
    for (const name of run.startsWith(".") ? [] : readdirSync(join(logs, run))) {
      const match = /hanging pid (\d+)/.exec(readFileSync(join(logs, run, name), "utf8"));
      if (match !== null) return Number(match[1]);
    }
  return 0;
}
