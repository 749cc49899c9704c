import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryPath } from "../util/atomicFile.ts";
import { SpacktainersError } from "../util/errors.ts";
import { hostTag, processIsAlive } from "../util/processes.ts";

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
  const owner = `${hostTag} ${process.pid} ${basename(mine)}`;
  try {
    await writeFile(mine, owner, { flag: "wx" });
    // Not by the clock, which somebody may set meanwhile.
    const end = performance.now() + waitMs;
    while (!(await tryLock(lock, mine, owner))) {
      if (performance.now() > end)
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
    if ((await contentOf(lock)) === owner) await rm(lock, { force: true });
  }
}

async function tryLock(lock: string, mine: string, owner: string): Promise<boolean> {
  if (await linked(mine, lock)) return true;
  const holder = await contentOf(lock);
  if (holder === undefined || holder === owner || isHeld(holder)) return false;
  // Take it out of the way. Of several that try only one finds it there.
  const aside = temporaryPath(dirname(lock));
  if (!(await moved(lock, aside))) return false;
  const found = await contentOf(aside);
  // Between reading and moving another may have taken over: then it gets its lock back.
  if (found !== holder && found !== undefined) await linked(aside, lock);
  await rm(aside, { force: true });
  return found === holder && linked(mine, lock);
}

/** Gives a file a second name; false when that is taken. */
async function linked(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return false;
      throw error;
    },
  );
}

async function moved(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}

async function contentOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

/** Whether the process that a lock names may still be there; of other machines we cannot tell. */
function isHeld(holder: string): boolean {
  const [host, pid = ""] = holder.split(" ");
  if (host !== hostTag) return holder !== "";
  return /^\d{1,10}$/.test(pid) && processIsAlive(Number(pid));
}
