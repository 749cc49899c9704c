import { basename, dirname, join, resolve } from "node:path";
import { SpacktainersError } from "./errors.ts";
import { type LockOptions, withFileLock } from "./fileLock.ts";

/** The name of the lock of a file or directory. */
function lockName(name: string): string {
  return `.${name}.lock`;
}

/** Whether this may be the name of a lock. */
export function isLockName(name: string): boolean {
  return name.startsWith(".") && name.endsWith(".lock");
}

/** How long one run waits for another that writes to the same place, in milliseconds. */
const defaultPatience = 60_000;

/**
 * Does something with a file or a directory while no other run writes to it. The lock is a hidden file beside it,
 * with the process that holds it; one whose process is gone does not count.
 *
 * @param target path of the file or directory; it need not be there
 * @param patience how long to wait for another run, in milliseconds; infinite: as long as it lives
 * @param options how to wait
 * @throws SpacktainersError LOCK_BUSY when another run holds the lock for too long; whatever `action` throws
 */
export async function withTargetLock<T>(
  target: string,
  action: () => Promise<T>,
  patience: number = defaultPatience,
  options: Pick<LockOptions, "signal" | "waiting"> = {},
): Promise<T> {
  const path = resolve(target);
  const lock = join(dirname(path), lockName(basename(path)));
  const done = await withFileLock(lock, async () => ({ result: await action() }), { ...options, patience });
  if (done !== undefined) return done.result;
  throw new SpacktainersError("LOCK_BUSY", "another run is writing there", {
    place: { file: path },
    hint: `wait for it to end; if there is no other run, remove ${lock}`,
  });
}
