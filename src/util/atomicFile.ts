import { lstat, open, readdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Clock, systemClock } from "./clock.ts";
import { SpacktainersError } from "./errors.ts";
import { makeDirectory } from "./makeDirectory.ts";
import { hostTag, processIsAlive } from "./processes.ts";
import { removeTree } from "./removeTree.ts";
import { temporaryName } from "./temporaryName.ts";
import { temporaryOwner } from "./temporaryOwner.ts";

/** Temporaries of other machines, of whose processes nothing is known, are left alone for so long; in milliseconds. */
const foreignAge = 7 * 86_400_000;

/** Directories in which this process has removed what killed ones left behind. */
const swept = new Set<string>();

/** A fresh name in `directory` for something unfinished. It names its process, for {@link sweepTemporaries}. */
export function temporaryPath(directory: string): string {
  return join(directory, temporaryName());
}

/**
 * A fresh name for something unfinished in the directory of `path`. The directory is made, and once a run cleared of what
 * killed processes left there.
 */
export async function temporaryBeside(path: string): Promise<string> {
  const directory = dirname(path);
  await makeDirectory(directory);
  if (!swept.has(directory)) {
    swept.add(directory);
    await sweepTemporaries(directory);
  }
  return temporaryPath(directory);
}

/**
 * Makes a file (or a directory) appear whole or not at all: `write` fills a temporary path in the same directory, which
 * is then renamed to `path`. A crash leaves only a temporary, which the next process that writes into the directory removes.
 * @throws SpacktainersError OUTPUT_EXISTS for a path of a device, a pipe or a socket; errors of the system and of `write`
 */
export async function writeAtomically(
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  await refuseSpecialFile(path);
  const temporary = await temporaryBeside(path);
  try {
    await write(temporary);
    await rename(temporary, path);
  } catch (error) {
    // What made the work fail is the news, not what then could not be removed.
    await removeTree(temporary).catch(() => {});
    nameFile(error, path);
    throw error;
  }
}

/**
 * Refuses a path at which there is something that is not to be replaced by a file, such as `/dev/null` for whoever may replace it.
 * @throws SpacktainersError OUTPUT_EXISTS for a device, a pipe or a socket, also at the end of a link
 */
export async function refuseSpecialFile(path: string): Promise<void> {
  // What cannot be looked at is found out by writing.
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined || facts.isFile() || facts.isDirectory()) return;
  throw new SpacktainersError("OUTPUT_EXISTS", "a device, a pipe or a socket is where the file should go", {
    place: { file: path },
    hint: "name a file",
  });
}

/** Errors of writing into an open file do not say which: this makes them say `path`. */
export function nameFile(error: unknown, path: string): void {
  if (!(error instanceof Error)) return;
  const system: NodeJS.ErrnoException = error;
  if (system.syscall !== undefined && system.path === undefined) system.path = path;
}

/** Writes bytes to a new file atomically. */
export async function writeFileAtomically(path: string, data: Uint8Array | string): Promise<void> {
  await writeAtomically(path, async (temporary) => {
    const file = await open(temporary, "wx", 0o644);
    try {
      await file.writeFile(data);
    } finally {
      await file.close();
    }
  });
}

/**
 * Removes temporaries in `directory` whose process is gone (it was killed); those of other machines, which may share the
 * directory, once they are a week old. Safe while other processes work there.
 */
export async function sweepTemporaries(directory: string, clock: Clock = systemClock): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const owner = temporaryOwner(name);
    if (owner === undefined) continue;
    const path = join(directory, name);
    const inUse = owner.host === hostTag ? processIsAlive(owner.pid) : await isYoung(path, clock);
    // What cannot be removed (it is another user's) is no reason to fail.
    if (!inUse) await removeTree(path).catch(() => {});
  }
}

async function isYoung(path: string, clock: Clock): Promise<boolean> {
  const facts = await lstat(path).catch(() => undefined);
  return facts !== undefined && clock() - facts.mtimeMs < foreignAge;
}
