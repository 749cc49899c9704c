import { link, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryPath } from "./atomicFile.ts";
import { SpacktainersError } from "./errors.ts";
import { hostTag, processIsAlive } from "./processes.ts";

/** How long one run waits for another that writes to the same place, in milliseconds. */
const patience = 60_000;

function lockName(name: string): string {
  return `.${name}.lock`;
}

/** Whether this may be the name of a lock. */
export function isLockName(name: string): boolean {
  return name.startsWith(".") && name.endsWith(".lock");
}

/** How patient to be. */
export interface FileLockOptions {
  /** How long to wait for another run, in milliseconds; default a minute. */
  readonly waitMs?: number;
  /**
   * Locks of other machines that are older than this are taken over, in milliseconds: for work that never takes so long.
   * Default: they are waited for, since nobody here can tell whether their process is still there.
   */
  readonly abandonedAfterMs?: number;
}

/**
 * Does something with a file or a directory while no other run of ours writes to it. The lock is a hidden file beside it,
 * with the process that holds it; one whose process is gone does not count.
 *
 * @param target path of the file or directory; it need not be there
 * @throws SpacktainersError LOCK_BUSY when another run holds the lock for too long; whatever `action` throws
 */
export async function withFileLock<T>(
  target: string,
  action: () => Promise<T>,
  { waitMs = patience, abandonedAfterMs = Number.POSITIVE_INFINITY }: FileLockOptions = {},
): Promise<T> {
  const path = resolve(target);
  const lock = join(dirname(path), lockName(basename(path)));
  await mkdir(dirname(path), { recursive: true });
  const mine = temporaryPath(dirname(path));
  const owner = `${hostTag} ${process.pid} ${basename(mine)}`;
  try {
    await writeFile(mine, owner, { flag: "wx" });
    // Not by the clock, which somebody may set meanwhile.
    const end = performance.now() + waitMs;
    while (!(await tryLock(lock, mine, { owner, abandonedAfterMs }))) {
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

async function tryLock(
  lock: string,
  mine: string,
  { owner, abandonedAfterMs }: { readonly owner: string; readonly abandonedAfterMs: number },
): Promise<boolean> {
  if (await linked(mine, lock)) return true;
  const holder = await contentOf(lock);
  if (holder === undefined || holder === owner) return false;
  if (isHeld(holder) && !(isForeign(holder) && (await lead(lock, mine)) > abandonedAfterMs)) return false;
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

/** By how much one file is older than another, in milliseconds: by the clock of the disk that both are on, not by ours. */
async function lead(older: string, newer: string): Promise<number> {
  const [before, after] = await Promise.all([older, newer].map((path) => stat(path).catch(() => undefined)));
  return before === undefined || after === undefined ? 0 : after.mtimeMs - before.mtimeMs;
}

function isForeign(holder: string): boolean {
  return holder !== "" && holder.split(" ", 1)[0] !== hostTag;
}

/** Whether the process that a lock names may still be there; of other machines we cannot tell. */
function isHeld(holder: string): boolean {
  const [, pid = ""] = holder.split(" ");
  if (isForeign(holder)) return true;
  return /^\d{1,10}$/.test(pid) && processIsAlive(Number(pid));
}
