import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryPath } from "../util/atomicFile.ts";
import { SpacktainersError } from "../util/errors.ts";

/** How long one run waits for another that writes to the same place, in milliseconds. */
const patience = 60_000;

/**
 * Does something with an output while no other run of ours writes to the same place. The lock is a hidden file beside the
 * output, with the process that holds it; one whose process is gone does not count.
 *
 * @param target the output's path
 * @param waitMs how long to wait for another run
 * @throws SpacktainersError LOCK_BUSY when another run holds the lock for too long; whatever `action` throws
 */
export async function withOutputLock<T>(
  target: string,
  action: () => Promise<T>,
  waitMs: number = patience,
): Promise<T> {
  const path = resolve(target);
  const lock = join(dirname(path), `.${basename(path)}.lock`);
  await mkdir(dirname(path), { recursive: true });
  const mine = temporaryPath(dirname(path));
  const owner = `${hostname()} ${process.pid} ${basename(mine)}`;
  try {
    await writeFile(mine, owner, { flag: "wx" });
    const end = Date.now() + waitMs;
    while (!(await tryLock(lock, mine, owner))) {
      if (Date.now() > end)
        throw new SpacktainersError("LOCK_BUSY", "another run is writing there", {
          place: { file: path },
          hint: `wait for it to end; if there is none, remove ${lock}`,
        });
      await sleep(50);
    }
  } finally {
    await rm(mine, { force: true });
  }
  try {
    return await action();
  } finally {
    // Taken over only if we were thought dead; then it is no longer ours to remove.
    if ((await readFile(lock, "utf8").catch(() => "")) === owner) await rm(lock, { force: true });
  }
}

async function tryLock(lock: string, mine: string, owner: string): Promise<boolean> {
  try {
    await link(mine, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const holder = await readFile(lock, "utf8").catch(() => undefined);
  if (holder === undefined || (await isHeld(holder))) return false;
  // Take over. When several do, the last one wins and the others notice.
  const copy = temporaryPath(dirname(lock));
  await writeFile(copy, owner, { flag: "wx" });
  await rename(copy, lock);
  await sleep(20);
  return (await readFile(lock, "utf8").catch(() => "")) === owner;
}

/** Whether the process that a lock names may still be there; of other machines we cannot tell. */
async function isHeld(holder: string): Promise<boolean> {
  const [host, pid = ""] = holder.split(" ");
  if (host !== hostname()) return holder !== "";
  if (!/^\d{1,10}$/.test(pid)) return false;
  return readFile(`/proc/${pid}/stat`).then(
    () => true,
    () => false,
  );
}
