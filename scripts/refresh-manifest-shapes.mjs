// Writes src/environment/data/manifestShapes.ts from what scripts/refresh-manifest-shapes.py printed with a Spack of each generation.
//
//   node scripts/refresh-manifest-shapes.mjs 0.23.0=old.json 1.1.0=new.json
//
// A version says which generation it belongs to (0.x or 1.x); what one version of a generation accepts is accepted there.
// Parts that occur more than once are written once.
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

const generations = process.argv.slice(2).map((argument) => argument.split("="));
if (generations.length === 0 || generations.some((generation) => generation.length !== 2)) {
  console.error("usage: node scripts/refresh-manifest-shapes.mjs VERSION=FILE [VERSION=FILE]…");
  process.exit(2);
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const kindOf = (shape) =>
  typeof shape === "string"
    ? shape
    : (["keys", "list", "words", "atLeast"].find((key) => key in shape) ?? "");

/** The shape of what either of two shapes accepts. */
function union(a, b) {
  if (same(a, b)) return a;
  const [left, right] = [a, b].map((shape) => (Array.isArray(shape) ? shape : [shape]));
  const ofKind = (list, kind) => list.filter((shape) => kindOf(shape) === kind);
  const result = [...left];
  for (const shape of right) {
    const kind = kindOf(shape);
    const [mine, ...more] = ofKind(left, kind);
    if (result.some((other) => same(other, shape))) continue;
    if (mine === undefined || more.length > 0 || ofKind(right, kind).length > 1) result.push(shape);
    else result[result.indexOf(mine)] = unionOfKind(kind, mine, shape);
  }
  return result.length === 1 ? result[0] : result;
}

function unionOfKind(kind, a, b) {
  if (kind === "words") return { words: [...new Set([...a.words, ...b.words])] };
  if (kind === "atLeast") return { atLeast: Math.min(a.atLeast, b.atLeast) };
  if (kind === "list") {
    const list = { list: union(a.list, b.list) };
    if (a.least !== undefined && b.least !== undefined) list.least = Math.min(a.least, b.least);
    if (a.most !== undefined && b.most !== undefined) list.most = Math.max(a.most, b.most);
    return list;
  }
  const map = { keys: unionOfKeys(a.keys, b.keys) };
  const patterns = unionOfKeys(Object.fromEntries(a.patterns ?? []), Object.fromEntries(b.patterns ?? []));
  if (Object.keys(patterns).length > 0) map.patterns = Object.entries(patterns);
  if (a.rest !== undefined || b.rest !== undefined)
    map.rest = a.rest === undefined ? b.rest : b.rest === undefined ? a.rest : union(a.rest, b.rest);
  if (a.specs && b.specs) map.specs = true;
  for (const key of ["required", "refused"]) {
    const both = (a[key] ?? []).filter((name) => (b[key] ?? []).includes(name));
    if (both.length > 0) map[key] = both;
  }
  return map;
}

function unionOfKeys(a, b) {
  const keys = { ...a };
  for (const [name, shape] of Object.entries(b))
    keys[name] = Object.hasOwn(a, name) ? union(a[name], shape) : shape;
  return keys;
}

/** The sections of each generation. */
const dialects = Object.fromEntries(
  ["0.x", "1.x"].map((dialect) => [
    dialect,
    generations
      .filter(([version]) => version.startsWith(dialect.slice(0, 2)))
      .map(([, file]) => JSON.parse(readFileSync(file, "utf8")))
      .reduce((all, each) => unionOfKeys(all, each), {}),
  ]),
);

/** How often each part occurs. */
const counts = new Map();
function count(shape) {
  const text = JSON.stringify(shape);
  counts.set(text, (counts.get(text) ?? 0) + 1);
  if (counts.get(text) > 1) return;
  for (const part of partsOf(shape)) count(part);
}
function partsOf(shape) {
  if (typeof shape === "string") return [];
  if (Array.isArray(shape)) return shape;
  return [
    ...Object.values(shape.keys ?? {}),
    ...(shape.patterns ?? []).map(([, each]) => each),
    ...(shape.rest === undefined ? [] : [shape.rest]),
    ...(shape.list === undefined ? [] : [shape.list]),
  ];
}
for (const sections of Object.values(dialects)) for (const shape of Object.values(sections)) count(shape);

const names = new Map();
const shared = [];
function print(shape) {
  const text = JSON.stringify(shape);
  if (text.length > 60 && counts.get(text) > 1) {
    if (!names.has(text)) {
      const printed = printPlain(shape);
      names.set(text, `part${names.size + 1}`);
      shared.push(`const ${names.get(text)}: Shape = ${printed};`);
    }
    return names.get(text);
  }
  return printPlain(shape);
}
const printKey = (name) => (/^[a-z_]\w*$/i.test(name) ? name : JSON.stringify(name));
const printKeys = (keys) =>
  `{${Object.entries(keys)
    .map(([name, shape]) => ` ${printKey(name)}: ${print(shape)},`)
    .join("")} }`;
function printPlain(shape) {
  if (typeof shape === "string") return JSON.stringify(shape);
  if (Array.isArray(shape)) return `[${shape.map(print).join(", ")}]`;
  const parts = Object.entries(shape).map(([key, value]) => {
    if (key === "keys") return `keys: ${printKeys(value)}`;
    if (key === "patterns")
      return `patterns: [${value.map(([pattern, each]) => `[${JSON.stringify(pattern)}, ${print(each)}]`).join(", ")}]`;
    if (key === "rest" || key === "list") return `${key}: ${print(value)}`;
    return `${key}: ${JSON.stringify(value)}`;
  });
  return `{ ${parts.join(", ")} }`;
}
const table = Object.entries(dialects).map(([dialect, sections]) => {
  const lines = Object.entries(sections)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, shape]) => `    ${printKey(name)}: ${print(shape)},`);
  return `  ${JSON.stringify(dialect)}: {\n${lines.join("\n")}\n  },`;
});
writeFileSync(
  resolve(import.meta.dirname, "../src/environment/data/manifestShapes.ts"),
  `// Generated by scripts/refresh-manifest-shapes.mjs from the JSON schemas (Apache-2.0 OR MIT) of Spack ${generations.map(([label]) => label).join(", ")}.
import type { Dialect } from "../../spec/abstract.ts";
import type { Shape } from "../shape.ts";

${shared.join("\n")}

/** What may stand in each section of a manifest, by the generation of Spack that reads it. */
export const manifestShapes: Readonly<Record<Dialect, Readonly<Record<string, Shape>>>> = {
${table.join("\n")}
};
`,
);
for (const [dialect, sections] of Object.entries(dialects))
  console.log(`${dialect}: ${Object.keys(sections).length} sections`);
