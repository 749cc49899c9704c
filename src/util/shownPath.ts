import { relative } from "node:path";

/** A path as a user would type it in `directory`: relative when it is below, else as it is. */
export function shownPath(path: string, directory: string): string {
  const below = relative(directory, path);
  return below === "" || below.startsWith("..") ? path : below;
}
