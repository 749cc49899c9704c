import { SpacktainersError } from "../util/errors.ts";

/**
 * The components of a path inside a store; none for the root itself.
 *
 * @throws SpacktainersError CACHE_INVALID for a path that leads out, or is none
 */
export function storePath(path: string): readonly string[] {
  if (path === "") return [];
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0")))
    throw new SpacktainersError("CACHE_INVALID", `not a path to a file: ${path.slice(0, 200)}`);
  return parts;
}
