// The import lint: data flows one way through the house (scripts/house.mjs), modules and the folders inside of them that have
// an order alike. Also refuses import cycles between files, three things that only one file may do, files that are too long, data
// of unknown origin, and names that two files export.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { innerOrders, modules, packageFinder, roomOf, strangers, variableReader } from "./house.mjs";
import { readImportGraph } from "./importGraph.mjs";

/** The one file that begins and ends tasks; renderers end what is left. */
const taskReporter = "util/events.ts";
const reportsTasks = (file) => file === taskReporter || file.startsWith("cli/report/");

const sources = resolve(dirname(fileURLToPath(import.meta.url)), "../src");
const graph = readImportGraph();
const problems = [];

for (const [file, { text, imports }] of graph) {
  const here = roomOf(file);
  if (/\bimport\.meta\b/.test(text) && file !== packageFinder)
    problems.push(
      `src/${file}: import.meta is for src/${packageFinder} alone: bundling moves code (use packageFile)`,
    );
  if (
    /\bprocess\.env\b|\benv\b[^;]*\} = process\b/.test(text) &&
    here.module !== "cli" &&
    file !== variableReader
  )
    problems.push(
      `src/${file}: process.env is for src/cli and src/${variableReader} alone: take variables as a parameter (default: hostEnvironment())`,
    );
  if (/type: "task-(start|progress|end)"/.test(text) && !reportsTasks(file))
    problems.push(
      `src/${file}: tasks are reported by runTask (src/${taskReporter}), which ends all that it begins`,
    );
  if (here.module === undefined) continue;
  if (!modules.includes(here.module))
    problems.push(`src/${file}: the module ${here.module} is not in the house`);
  const inner = innerOrders[here.module];
  if (inner !== undefined && !inner.includes(here.inner))
    problems.push(`src/${file}: ${here.module} has no folder for it: ${inner.join(", ")}`);
  for (const target of imports) {
    const there = roomOf(target);
    if (there.module === undefined) continue;
    if (there.module !== here.module) {
      if (modules.indexOf(there.module) > modules.indexOf(here.module))
        problems.push(`src/${file}: ${here.module} must not import from ${there.module} (${target})`);
      if (strangers[here.module]?.includes(there.module))
        problems.push(`src/${file}: ${here.module} must not know ${there.module} (${target})`);
    } else if (inner !== undefined && inner.indexOf(there.inner) > inner.indexOf(here.inner))
      problems.push(
        `src/${file}: ${here.module}/${here.inner} must not import from ${here.module}/${there.inner} (${target})`,
      );
  }
}

/** Depth-first search for cycles; each cycle is reported once. */
const state = new Map();
function visit(file, path) {
  if (state.get(file) === "done") return;
  if (state.get(file) === "open") {
    problems.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
    return;
  }
  state.set(file, "open");
  for (const next of graph.get(file)?.imports ?? []) visit(next, [...path, file]);
  state.set(file, "done");
}
for (const file of graph.keys()) visit(file, []);

/** What is drawn of a module names files that there are. */
const names = new Set([...graph.keys()].map((file) => file.slice(file.lastIndexOf("/") + 1)));
for (const page of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
  if (!page.endsWith("README.md")) continue;
  for (const [name] of readFileSync(join(sources, page), "utf8").matchAll(/[\w/-]+\.ts\b/g))
    if (!name.startsWith("test/") && !names.has(name.slice(name.lastIndexOf("/") + 1)))
      problems.push(`src/${page}: there is no ${name}`);
}

/** Longest file, in lines; data may be longer, in folders named `data`. */
const longest = 400;
const tests = resolve(sources, "../test");
const testFiles = readdirSync(tests, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".ts"),
);
for (const [file, text] of [
  ...[...graph].map(([name, { text }]) => [`src/${name}`, text]),
  ...testFiles.map((name) => [`test/${name}`, readFileSync(join(tests, name), "utf8")]),
]) {
  const lines = text.split("\n").length - 1;
  if (lines > longest && !file.includes("/data/"))
    problems.push(`${file}: ${lines} lines, ${longest} at the most: split it by topic`);
}

/** Data says where it is from, and which script refreshes it or that none does. */
for (const [file, { text }] of graph) {
  if (!file.includes("/data/")) continue;
  const head = text.split("\n", 12).join("\n");
  const script = /\bscripts\/[\w.-]+/.exec(head)?.[0];
  const origin = script === undefined ? /\bSources?:/.test(head) : /\bfrom\b/.test(head);
  if (!origin) problems.push(`src/${file}: its first lines do not say where the data is from`);
  if (script === undefined && !/no script\s+(\* )?refreshes/.test(head))
    problems.push(`src/${file}: its first lines do not say which script refreshes it, or that none does`);
  if (script !== undefined && !existsSync(resolve(sources, "..", script)))
    problems.push(`src/${file}: there is no ${script}`);
}

/** One name for one thing: where each exported name is declared. */
const declared = new Map();
for (const [file, { text }] of graph)
  for (const [, name] of text.matchAll(
    /^export (?:declare |abstract |async )*(?:function\*?|const|let|class|interface|type|enum) (\w+)/gm,
  ))
    declared.set(name, (declared.get(name) ?? new Set()).add(file));
for (const [name, files] of declared)
  if (files.size > 1)
    problems.push(`${name} is exported by ${[...files].map((file) => `src/${file}`).join(" and ")}`);

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`walls: ${graph.size} files in ${modules.length} modules, all imports point left`);
