import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

const temporaryName = /^\.tmp-(\d+)-[0-9a-f]{12}$/;

/** A fresh name in `directory` for something unfinished. It carries our process number, for {@link sweepTemporaries}. */
export function temporaryPath(directory: string): string {
  return join(directory, `.tmp-${process.pid}-${randomBytes(6).toString("hex")}`);
}

/**
 * Makes a file (or a directory) appear whole or not at all: `write` fills a temporary path in the same directory, which
 * is then renamed to `path`. A crash leaves only a temporary, which {@link sweepTemporaries} removes.
 */
export async function writeAtomically(
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true });
  const temporary = temporaryPath(directory);
  try {
    await write(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
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

/** Removes temporaries in `directory` whose process is gone (it was killed). Safe while other processes work there. */
export async function sweepTemporaries(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names) {
    const pid = temporaryName.exec(name)?.[1];
    if (pid === undefined || (await processIsAlive(Number(pid)))) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function processIsAlive(pid: number): Promise<boolean> {
  if (pid === process.pid) return true;
  // /proc rather than kill(pid, 0): it works for other users' processes too.
  return stat(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}
