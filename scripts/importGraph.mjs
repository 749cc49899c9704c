// Reads the imports of src: which file imports which.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, resolve, sep } from "node:path";

/** The folder that the graph is of. */
export const sourceRoot = resolve(import.meta.dirname, "../src");

/** Imports, exports from elsewhere, dynamic imports, types by `import()`, and addresses of workers. */
const importPattern =
  /(?:^|\n)\s*(?:import|export)\s[^"';]*?from\s+["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)|new URL\(\s*["'](\.[^"']+)["']/g;

const posixPath = (path) => path.split(sep).join(posix.sep);

/**
 * Every source file below `src` with its text and the files that it imports.
 * @returns {Map<string, { text: string, imports: string[] }>} by path below `src`
 */
export function readImportGraph() {
  const graph = new Map();
  const names = readdirSync(sourceRoot, { recursive: true }).filter((name) => name.endsWith(".ts"));
  for (const name of names.sort()) {
    const file = join(sourceRoot, name);
    const text = readFileSync(file, "utf8");
    const imports = [...text.matchAll(importPattern)]
      .map((match) => match[1] ?? match[2] ?? match[3])
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => posixPath(relative(sourceRoot, resolve(dirname(file), specifier))))
      .filter((target) => !target.startsWith(".."));
    graph.set(posixPath(name), { text, imports });
  }
  return graph;
}
