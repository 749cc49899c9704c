/** Which parts of long work are done, kept for a run that continues after an interruption. */
import { appendFile, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ageOfFile, type Clock, systemClock } from "../../util/clock.ts";
import { digestOf, hexOfDigest } from "../../util/digest.ts";
import { makeDirectory } from "../../util/makeDirectory.ts";

/** After so long, in milliseconds, nothing is worth that was done before. */
const longestPause = 24 * 3600 * 1000;

export interface ProgressRecord {
  /** What earlier runs finished. */
  readonly done: ReadonlySet<string>;
  /** Writes down that something is done. */
  add(name: string): Promise<void>;
  /** Forgets everything: the work is done. */
  clear(): Promise<void>;
}

/**
 * Opens the record of a piece of work.
 *
 * @param folder where records are kept
 * @param work what the work is: another text, another record
 * @param fresh whether to begin from nothing
 */
export async function openProgressRecord(
  folder: string,
  work: string,
  fresh: boolean,
  clock: Clock = systemClock,
): Promise<ProgressRecord> {
  await makeDirectory(folder);
  const path = join(folder, `${hexOfDigest(digestOf(work)).slice(0, 32)}.done`);
  if (fresh || (await ageOfFile(path, clock)) > longestPause) await rm(path, { force: true });
  const text = await readFile(path, "utf8").catch(() => "");
  // A line that was cut off is none.
  const lines = text.split("\n").slice(0, -1);
  return {
    done: new Set(lines),
    add: (name) => appendFile(path, `${name}\n`),
    clear: () => rm(path, { force: true }),
  };
}
