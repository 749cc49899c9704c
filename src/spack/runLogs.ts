import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { removeIfPossible } from "../util/removeIfPossible.ts";

/** Runs whose logs are kept. */
const keptRuns = 30;

/**
 * Makes the folder for the logs of this run, and removes those of runs long ago.
 *
 * @param directory of all logs
 */
export async function makeRunLogs(directory: string, now = new Date()): Promise<string> {
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const folder = join(directory, `${stamp}-${process.pid}`);
  await mkdir(folder, { recursive: true });
  const runs = (await readdir(directory)).filter((name) => /^\d{8}T\d{6}Z-\d+$/.test(name)).sort();
  for (const name of runs.slice(0, -keptRuns)) await removeIfPossible(join(directory, name));
  return folder;
}
