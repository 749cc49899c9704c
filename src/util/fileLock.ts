/** Locks between processes, also of several machines that share a directory: a file that names the process that holds it. */
import { readlinkSync } from "node:fs";
import { link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryPath } from "./atomicFile.ts";
import { stopIfAborted } from "./interruption.ts";
import { makeDirectory } from "./makeDirectory.ts";
import { hostTag, isSameProcess, startOfProcess } from "./processes.ts";

/** The process that holds a lock. */
export interface LockHolder {
  readonly host: string;
  readonly pid: number;
}

/** How to wait for a lock. */
export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once if another process has held the lock for a while. */
  readonly waiting?: ((holder: LockHolder | undefined) => void) | undefined;
  /** Longest wait, in milliseconds; undefined: as long as the holder lives. */
  readonly patience?: number | undefined;
  /** For tests: how long a holder on another machine may show no life, in milliseconds. */
  readonly silence?: number | undefined;
}

/** How often a holder shows that it lives, in milliseconds. */
const heartbeat = 5_000;
/**
 * A holder of another machine that has not shown it for so long is taken for dead, in milliseconds. File servers may tell other
 * machines of a new time only after a minute.
 */
const longestSilence = 150_000;
/**
 * One whose lock is so much older than a new file beside it, in milliseconds, is taken for dead at once: more than clocks of
 * machines that share a directory differ.
 */
const abandoned = 900_000;

/** Waiting so long is not worth a word, in milliseconds. */
const shortWait = 1_000;

/** How often a waiting process looks, in milliseconds. */
const pace = 25;

/**
 * Does something while no other process does it under the same lock.
 *
 * @param path of the lock's file, which is there while the lock is held; its directory is made
 * @throws what `action` throws; INTERRUPTED while waiting. Undefined is returned in place of a result when patience ends.
 */
export async function withFileLock<T>(
  path: string,
  action: () => Promise<T>,
  options: LockOptions = {},
): Promise<T | undefined> {
  const release = await acquireLock(path, options);
  if (release === undefined) return undefined;
  try {
    return await action();
  } finally {
    await release();
  }
}

/**
 * Takes a lock. One whose process is gone does not count.
 *
 * It is this process's also when another program has taken its place.
 * @returns what gives it back; undefined when patience ends
 * @throws INTERRUPTED
 */
export async function acquireLock(
  path: string,
  options: LockOptions,
): Promise<(() => Promise<void>) | undefined> {
  await makeDirectory(dirname(path));
  const mine = temporaryPath(dirname(path));
  const owner = [
    hostTag,
    process.pid,
    basename(mine),
    processNamespace,
    startOfProcess(process.pid) ?? "-",
  ].join(" ");
  try {
    await writeFile(mine, owner, { flag: "wx" });
    if (!(await waitFor(path, mine, owner, options))) return undefined;
  } finally {
    await rm(mine, { force: true });
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, heartbeat);
  beat.unref();
  return async () => {
    clearInterval(beat);
    // Another run takes it only if it thinks that we are dead; then we must not remove it.
    if ((await contentOf(path)) === owner) await rm(path, { force: true });
  };
}

async function waitFor(
  path: string,
  mine: string,
  owner: string,
  { signal, waiting, patience = Number.POSITIVE_INFINITY, silence = longestSilence }: LockOptions,
): Promise<boolean> {
  const begin = performance.now();
  const watch = new Watch(silence);
  let told = false;
  while (!(await tryLock(path, mine, owner, watch))) {
    if (performance.now() - begin > patience) return false;
    if (!told && performance.now() - begin > shortWait) {
      waiting?.(holderOf((await contentOf(path)) ?? ""));
      told = true;
    }
    await sleep(pace);
    stopIfAborted(signal);
  }
  return true;
}

async function tryLock(path: string, mine: string, owner: string, watch: Watch): Promise<boolean> {
  if (await linked(mine, path)) return true;
  const holder = await contentOf(path);
  if (holder === undefined || holder === owner || (await watch.isHeld(path, holder, mine))) return false;
  // Take it out of the way. Of several that try only one finds it there.
  const aside = temporaryPath(dirname(path));
  if (!(await moved(path, aside))) return false;
  const found = await contentOf(aside);
  // Another run may have taken the lock between reading and moving: then it gets its lock back.
  if (found !== holder && found !== undefined) await linked(aside, path);
  await rm(aside, { force: true });
  return found === holder && linked(mine, path);
}

/** Looks at holders, and remembers when those of other machines last showed that they live. */
class Watch {
  readonly #silence: number;
  #content = "";
  #modified = 0;
  #since = 0;

  constructor(silence: number) {
    this.#silence = silence;
  }

  /** @param fresh a file beside the lock that was just written: tells the time of the disk that both are on */
  async isHeld(path: string, content: string, fresh: string): Promise<boolean> {
    const [host, pid = "", , namespace, start] = content.split(" ");
    if (!/^\d{1,10}$/.test(pid)) return host !== hostTag && content !== "";
    if (host === hostTag && (namespace === undefined || namespace === processNamespace))
      return isSameProcess(Number(pid), start ?? "-");
    const [modified, now] = await Promise.all([modifiedAt(path), modifiedAt(fresh)]);
    if (now - modified > abandoned) return false;
    if (content !== this.#content || modified !== this.#modified) {
      [this.#content, this.#modified, this.#since] = [content, modified, performance.now()];
    }
    return performance.now() - this.#since < this.#silence;
  }
}

/** When a file was written, in milliseconds; infinitely late when it is gone, so that it is never taken for old. */
async function modifiedAt(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Number.POSITIVE_INFINITY,
  );
}

/** The process of this machine that holds a lock, when it is there and lives. */
export async function livingHolder(path: string): Promise<LockHolder | undefined> {
  const content = await contentOf(path);
  if (content === undefined) return undefined;
  const holder = holderOf(content);
  return holder?.host === hostTag && (await new Watch(0).isHeld(path, content, path)) ? holder : undefined;
}

function holderOf(content: string): LockHolder | undefined {
  const [host, pid = ""] = content.split(" ");
  return host === undefined || !/^\d{1,10}$/.test(pid) ? undefined : { host, pid: Number(pid) };
}

/** Two containers may have one name and yet see different processes. */
const processNamespace = ((): string => {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "-";
  }
})();

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
