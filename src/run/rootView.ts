/** Looking up paths in a stack of directories as the kernel's overlay file system would show them, without mounting it. */
import { lstat, readlink } from "node:fs/promises";
import { join } from "node:path";
import { resolveLink } from "../archive/directoryWriter.ts";
import { SpacktainersError } from "../util/errors.ts";

/** Linux gives up after this many links in one path as well. */
const maxLinks = 40;

/** What is at a path: `path` has no links in it and is relative to the root; `mode` is that of the file or directory. */
export type Found =
  | {
      readonly kind: "directory" | "file";
      readonly path: string;
      readonly mode: number;
      readonly file: string;
    }
  /** Nothing is there. */
  | { readonly kind: "missing"; readonly path: string };

/**
 * Finds a path, following symbolic links with the stack as the root of everything.
 *
 * @param stack directories from bottom to top
 * @param path absolute, or relative to the root
 * @throws SpacktainersError USAGE when a file is in its place or links go in circles
 */
export async function lookUpPath(stack: readonly string[], path: string): Promise<Found> {
  let pending = path.split("/").filter((part) => part !== "" && part !== ".");
  let links = 0;
  let at = "";
  let here = [...stack].reverse();
  const root: Found = { kind: "directory", path: "", mode: 0o755, file: here[0] ?? "" };
  let found: Found = root;
  while (pending.length > 0) {
    const [name = "", ...rest] = pending;
    pending = rest;
    if (name === "..") {
      // Only the texts of links bring these; starting again is simple and right.
      pending = [...at.split("/").slice(0, -1), ...rest].filter((part) => part !== "");
      [at, here, found] = ["", [...stack].reverse(), root];
      continue;
    }
    const next = at === "" ? name : `${at}/${name}`;
    const top = await topOf(here, next);
    if (top === undefined) {
      const missing = resolveLink("", [next, ...rest].join("/"));
      // A path that goes back out of what is missing is taken by its text, as mkdir -p would in the end.
      return rest.includes("..") ? lookUpPath(stack, missing) : { kind: "missing", path: missing };
    }
    if (top.kind === "symlink") {
      if (++links > maxLinks) throw new SpacktainersError("USAGE", `/${path} is a circle of symbolic links`);
      pending = [...resolveLink(at, top.target).split("/"), ...rest].filter((part) => part !== "");
      [at, here, found] = ["", [...stack].reverse(), root];
      continue;
    }
    found = { kind: top.kind, path: next, mode: top.mode, file: top.file };
    if (top.kind === "file" && rest.length > 0)
      throw new SpacktainersError("USAGE", `/${next} in the image is a file, not a directory`);
    at = next;
    here = top.layers;
  }
  return found;
}

type Top =
  | {
      readonly kind: "directory" | "file";
      readonly mode: number;
      readonly file: string;
      /** Directories of the stack, top first, that contribute to it. */
      readonly layers: string[];
    }
  | { readonly kind: "symlink"; readonly target: string };

async function topOf(layers: readonly string[], path: string): Promise<Top | undefined> {
  let top: Top | undefined;
  const merged: string[] = [];
  for (const layer of layers) {
    const file = join(layer, path);
    const facts = await lstat(file).catch(() => undefined);
    if (facts === undefined) continue;
    if (!facts.isDirectory()) {
      if (top !== undefined) break;
      if (facts.isSymbolicLink()) return { kind: "symlink", target: await readlink(file) };
      return { kind: "file", mode: facts.mode & 0o777, file, layers: [] };
    }
    merged.push(layer);
    top ??= { kind: "directory", mode: facts.mode & 0o1777, file, layers: merged };
  }
  return top;
}
