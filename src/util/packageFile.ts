import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Absolute path of a file of this package. The one place that knows where a module lies: the same code runs from
 * `src/` in tests, from `build/` in development and from bundles in `dist/`, whose files have other names and depths.
 *
 * @param path relative to the folder of `package.json`; does not check whether the file exists
 * @throws {Error} when the program was taken out of its package
 */
export function packageFile(path: string): string {
  root ??= findRoot();
  return join(root, path);
}

let root: string | undefined;

function findRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (folder === dirname(folder)) throw new Error(`no package.json at or above ${start}`);
  }
}
