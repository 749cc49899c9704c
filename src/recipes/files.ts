/** The files that recipes may ask for: those of the image. */
import { posix } from "node:path";
import { NotUnderstood } from "../python/problem.ts";

/** Files of an image. Paths are absolute; links are followed. */
export interface RecipeFiles {
  readonly kindOf: (path: string) => "file" | "directory" | undefined;
  /** Names in a directory; empty if it is not one. */
  readonly list: (path: string) => readonly string[];
  /** Two paths of one directory give one text. */
  readonly identity: (path: string) => string;
  /** The text of a small file that was kept, or undefined. */
  readonly text: (path: string) => string | undefined;
}

/** Most directories that one search goes through. */
const mostDirectories = 20_000;
/** Longest pattern. */
const longestPattern = 500;

/** A pattern of `fnmatch` as an expression. @throws NotUnderstood for one that is too long */
export function globExpression(pattern: string): RegExp {
  if (pattern.length > longestPattern) throw new NotUnderstood("a pattern that is too long");
  // Several stars in a row are one, and more than a few could take long to match.
  const plain = pattern.replace(/\*+/g, "*");
  if ((plain.match(/\*/g) ?? []).length > 8) throw new NotUnderstood("a pattern with many stars");
  let text = "";
  for (let at = 0; at < plain.length; at++) {
    const character = plain[at] ?? "";
    if (character === "*") text += "[^]*";
    else if (character === "?") text += "[^]";
    else if (character === "[") {
      const end = plain.indexOf("]", at + (plain[at + 1] === "!" ? 3 : 2));
      if (end < 0) text += "\\[";
      else {
        const inside = plain.slice(at + 1, end).replace(/[\\\]^&~|]/g, "\\$&");
        text += inside.startsWith("!") ? `[^${inside.slice(1)}]` : `[${inside}]`;
        at = end;
      }
    } else text += character.replace(/[.+^${}()|\\/]/g, "\\$&");
  }
  try {
    return new RegExp(`^${text}$`, "u");
  } catch {
    throw new NotUnderstood(`the pattern \`${pattern}\``);
  }
}

/** `glob.glob(pattern)`, sorted. @throws NotUnderstood */
export function globPaths(files: RecipeFiles, pattern: string): string[] {
  if (!pattern.startsWith("/")) throw new NotUnderstood("a search in the working directory");
  let found = ["/"];
  for (const part of pattern.split("/").filter((one) => one !== "")) {
    if (part === "**") throw new NotUnderstood("`**` in a pattern");
    if (!/[*?[]/.test(part)) {
      found = found.map((path) => posix.join(path, part)).filter((path) => files.kindOf(path) !== undefined);
      continue;
    }
    const expression = globExpression(part);
    if (found.length > mostDirectories) throw new NotUnderstood("a search that finds too much");
    found = found.flatMap((path) =>
      files
        .list(path)
        .filter((name) => expression.test(name) && (part.startsWith(".") || !name.startsWith(".")))
        .map((name) => posix.join(path, name)),
    );
  }
  return found.sort();
}

/** `find(root, patterns)` of Spack: breadth first, sorted by pattern and path. @throws NotUnderstood */
export function findPaths(
  files: RecipeFiles,
  roots: readonly string[],
  patterns: readonly string[],
  depth: number,
): string[] {
  const simple = patterns.map((pattern) => (pattern.includes("/") ? undefined : globExpression(pattern)));
  const found = patterns.map((): string[] => []);
  const seen = new Set<string>();
  let level = roots.map((root) => posix.normalize(root).replace(/(?<=.)\/$/, ""));
  if (level.some((root) => !root.startsWith("/")))
    throw new NotUnderstood("a search in the working directory");
  for (let below = 0; level.length > 0; below++) {
    const next: string[] = [];
    for (const directory of level) {
      if (files.kindOf(directory) !== "directory") continue;
      const identity = files.identity(directory);
      if (seen.has(identity)) continue;
      seen.add(identity);
      if (seen.size > mostDirectories) throw new NotUnderstood("a search through too many directories");
      for (const [index, pattern] of patterns.entries())
        if (simple[index] === undefined) found[index]?.push(...globPaths(files, `${directory}/${pattern}`));
      for (const name of [...files.list(directory)].sort()) {
        const path = posix.join(directory, name);
        // A file counts for the first pattern only.
        const index = simple.findIndex((expression) => expression?.test(name) === true);
        if (index >= 0) found[index]?.push(path);
        if (below < depth && files.kindOf(path) === "directory") next.push(path);
      }
    }
    level = next;
  }
  const all = found.flatMap((paths) => paths.sort());
  return simple.includes(undefined) ? [...new Set(all)] : all;
}
