// The import lint: data flows one way through the house, and a module imports only from modules before it.
// The order is the one of docs/architecture.md. Also refuses import cycles between files.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, resolve, sep } from "node:path";

/** Modules from left to right. A module may import from any module before it. */
const order = [
  "util",
  "net",
  "elf",
  "archive",
  "registry",
  "definitions",
  "spec",
  "environment",
  "buildcache",
  "concretize",
  "install",
  "view",
  "base",
  "linkage",
  "image",
  "supply",
  "sif",
  "publish",
  "run",
  "hpc",
  "pipeline",
  "cli",
];
/** Modules that must not see one another although one comes before the other. */
const strangers = {
  install: ["concretize", "buildcache"],
  spec: ["definitions"],
  registry: ["elf"],
  base: ["spec", "environment", "buildcache", "concretize", "install", "view"],
};

/** The one file that may know where it lies. */
const finder = "util/packageFile.ts";

const root = resolve(import.meta.dirname, "../src");
const files = readdirSync(root, { recursive: true })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(root, name));
const importPattern =
  /(?:^|\n)\s*(?:import|export)\s[^"']*?from\s+["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)|new URL\(\s*["'](\.[^"']+)["']/g;
const problems = [];
const graph = new Map();

for (const file of files) {
  const here = relative(root, file).split(sep).join(posix.sep);
  const module = here.includes("/") ? here.split("/")[0] : undefined;
  if (module !== undefined && !order.includes(module))
    problems.push(`src/${here}: the module ${module} is not in the house`);
  const targets = [];
  const source = readFileSync(file, "utf8");
  if (/\bimport\.meta\b/.test(source) && here !== finder)
    problems.push(
      `src/${here}: import.meta is for src/${finder} alone: bundling moves code (use packageFile)`,
    );
  for (const match of source.matchAll(importPattern)) {
    const specifier = match[1] ?? match[2] ?? match[3];
    if (!specifier?.startsWith(".")) continue;
    const target = relative(root, resolve(dirname(file), specifier))
      .split(sep)
      .join(posix.sep);
    if (target.startsWith("..")) continue;
    targets.push(target);
    const other = target.includes("/") ? target.split("/")[0] : undefined;
    if (module === undefined || other === undefined || other === module) continue;
    if (order.indexOf(other) > order.indexOf(module))
      problems.push(`src/${here}: ${module} must not import from ${other} (${target})`);
    if (strangers[module]?.includes(other))
      problems.push(`src/${here}: ${module} must not know ${other} (${target})`);
  }
  graph.set(here, targets);
}

/** Depth-first search for cycles; each cycle is reported once. */
const state = new Map();
function visit(node, path) {
  if (state.get(node) === "done") return;
  if (state.get(node) === "open") {
    problems.push(`import cycle: ${[...path.slice(path.indexOf(node)), node].join(" -> ")}`);
    return;
  }
  state.set(node, "open");
  for (const next of graph.get(node) ?? []) visit(next, [...path, node]);
  state.set(node, "done");
}
for (const node of graph.keys()) visit(node, []);

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`walls: ${files.length} files in ${order.length} modules, all imports point left`);
