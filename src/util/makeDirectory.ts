import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a directory, and those above it. Node's own way to do so never ends where the system makes none and says that there is
 * nothing to make it in (`/proc`).
 *
 * @throws errors of the system: ENOENT where none can be made, EEXIST where something else is
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && dirname(path) !== path) {
      await makeDirectory(dirname(path));
      await mkdir(path).catch(ignoreExisting);
    } else if (!(await isDirectory(path))) throw error;
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}
