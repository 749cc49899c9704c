import { basename, dirname, join, resolve } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import { withFileLock } from "../util/fileLock.ts";

/** How long one run waits for another that writes to the same place, in milliseconds. */
const defaultPatience = 60_000;

/**
 * Does something with an output while no other run of ours writes to the same place. The lock is a hidden file beside the
 * output, with the process that holds it; one whose process is gone does not count.
 *
 * @param target the output's path
 * @param patience how long to wait for another run, in milliseconds
 * @throws SpacktainersError LOCK_BUSY when another run holds the lock for too long; whatever `action` throws
 */
export async function withOutputLock<T>(
  target: string,
  action: () => Promise<T>,
  patience: number = defaultPatience,
): Promise<T> {
  const path = resolve(target);
  const lock = join(dirname(path), `.${basename(path)}.lock`);
  const done = await withFileLock(lock, async () => ({ result: await action() }), { patience });
  if (done !== undefined) return done.result;
  throw new SpacktainersError("LOCK_BUSY", "another run is writing there", {
    place: { file: path },
    hint: `wait for it to end; if there is none, remove ${lock}`,
  });
}
