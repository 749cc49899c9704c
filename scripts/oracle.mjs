// Holds our answers against recorded answers of real Spack.
//
//   npm run oracle -- FOLDER [--corpus FOLDER] [--show N]
//   npm run oracle -- FOLDER --recipes FOLDER [--show N]
//
// With --recipes, FOLDER has recordings of what recipes do to the run environment (`*.jsonl`, `*.jsonl.gz`), and the other
// folder is the `packages/` of the repository of these recipes. Prints agreement for the packages' own methods, for their
// dependents, for the order of all changes and for whole records, and of the records that differ how many have a notice for
// each difference and how many are silent. Otherwise, FOLDER has a meta.json ({"dialect", "lock", …}, paths relative to the corpus folder, by default ../shared/corpus) and
// any of versions.jsonl, parse.jsonl, concrete.jsonl, abstract.jsonl. Prints agreement for each file and the
// disagreements (at most N a file, 20 by default); the exit status is 1 when there are any.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseDagHash } from "../build/spec/concrete.js";
import { constrain } from "../build/spec/constrain.js";
import { formatSpec } from "../build/spec/format.js";
import { intersects } from "../build/spec/intersects.js";
import { parseSpec } from "../build/spec/parse.js";
import { checkGraph, readNode } from "../build/spec/readSpecfile.js";
import { concreteSatisfies, satisfies } from "../build/spec/satisfies.js";
import {
  compareVersions,
  parseVersion,
  parseVersionSet,
  versionsIntersect,
  versionsSatisfy,
} from "../build/spec/versions.js";
import { SpacktainersError } from "../build/util/errors.js";
import { checkEnvironments } from "./oracleEnvironments.mjs";
import { reportRunEnvironments } from "./oracleRunEnvironments.mjs";

/** Specfile version of the nodes of each lockfile version that can be read. */
const nodeVersions = new Map([
  [4, 3],
  [5, 4],
  [6, 5],
  [7, 5],
  [8, 6],
]);

function usage() {
  console.error("usage: npm run oracle -- FOLDER [--corpus FOLDER] [--recipes FOLDER] [--show N]");
  process.exit(2);
}

function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** The parsed lines of a file, or undefined when it is not there. */
function readLines(file) {
  if (!existsSync(file)) return undefined;
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line));
}

/** Nodes of a lockfile by hash. */
function readLock(file) {
  const lock = readJson(file);
  const version = nodeVersions.get(lock._meta["lockfile-version"]);
  if (version === undefined) throw new Error(`${file}: unknown lockfile version`);
  const graph = new Map();
  for (const [key, node] of Object.entries(lock.concrete_specs)) {
    const read = readNode(node, {
      specfileVersion: version,
      place: { file },
      hashIfMissing: parseDagHash(key),
      code: "LOCK_INVALID",
    });
    graph.set(read.hash, read);
  }
  checkGraph(graph, { file }, "LOCK_INVALID");
  return graph;
}

/** What `answer` returns; an error of ours becomes `{error: code}`, anything else is a bug and is not caught. */
function attempt(answer) {
  try {
    return answer();
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) return { error: thrown.code, message: thrown.message };
    throw thrown;
  }
}

/** One function for each file: our answer to a line, with the keys that Spack's has. */
function answers(dialect, graph) {
  const options = { dialect };
  return {
    versions: ({ kind, a, b }) => {
      if (kind === "order")
        return { cmp: Math.sign(compareVersions(parseVersion(a, dialect), parseVersion(b, dialect))) };
      const [left, right] = [parseVersionSet(a, dialect), parseVersionSet(b, dialect)];
      return { satisfies: versionsSatisfy(left, right), intersects: versionsIntersect(left, right) };
    },
    parse: ({ text }) => {
      const parsed = attempt(() => ({ format: formatSpec(parseSpec(text, options), dialect) }));
      return parsed.error === undefined ? { ok: true, ...parsed } : { ok: false, ours: parsed.message };
    },
    concrete: ({ hash, constraint }) => ({
      satisfies: concreteSatisfies(graph(), hash, parseSpec(constraint, options), options),
    }),
    abstract: ({ a, b }) => {
      const [left, right] = [parseSpec(a, options), parseSpec(b, options)];
      const both = intersects(left, right, options);
      const answer = { satisfies: satisfies(left, right, options), intersects: both };
      if (!both) return answer;
      const joined = attempt(() => ({ constrain: formatSpec(constrain(left, right, options), dialect) }));
      return joined.error === undefined
        ? { ...answer, ...joined }
        : { ...answer, constrain_error: joined.error, ours: joined.message };
    },
  };
}

/** Keys that are compared by value, and keys that must only be there or not be there. */
const compared = ["cmp", "ok", "format", "satisfies", "intersects", "constrain"];
const present = ["constrain_error", "error"];

function agree(line, ours) {
  return (
    compared.every((key) => line[key] === ours[key]) &&
    present.every((key) => (key === "error" ? true : (line[key] !== undefined) === (ours[key] !== undefined)))
  );
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    corpus: { type: "string", default: resolve(import.meta.dirname, "../../shared/corpus") },
    recipes: { type: "string" },
    show: { type: "string", default: "20" },
  },
});
const [folder, ...more] = positionals;
if (folder === undefined || more.length > 0 || !/^\d+$/.test(values.show)) usage();
if (values.recipes !== undefined) {
  const silent = reportRunEnvironments(folder, values.recipes, Number(values.show));
  process.exit(silent === 0 ? 0 : 1);
}
if (!existsSync(join(folder, "meta.json"))) {
  console.error(`${folder} has no meta.json; recordings of what recipes do need --recipes FOLDER`);
  usage();
}
const meta = readJson(join(folder, "meta.json"));
if (meta.dialect !== "0.x" && meta.dialect !== "1.x") throw new Error(`unknown dialect ${meta.dialect}`);
let nodes;
const graph = () => (nodes ??= readLock(join(values.corpus, meta.lock)));

let disagreements = 0;
for (const [kind, answer] of Object.entries(answers(meta.dialect, graph))) {
  const lines = readLines(join(folder, `${kind}.jsonl`));
  if (lines === undefined) continue;
  const wrong = [];
  for (const line of lines) {
    const ours = attempt(() => answer(line));
    if (!agree(line, ours)) wrong.push([line, ours]);
  }
  console.log(`${kind}.jsonl ${lines.length - wrong.length}/${lines.length}`);
  for (const [line, ours] of wrong.slice(0, Number(values.show)))
    console.log(`  spack ${JSON.stringify(line)}\n  ours  ${JSON.stringify(ours)}`);
  if (wrong.length > Number(values.show)) console.log(`  … and ${wrong.length - Number(values.show)} more`);
  disagreements += wrong.length;
}

const environments = join(folder, "environments");
if (existsSync(environments)) {
  const result = checkEnvironments(environments, {
    cache: join(values.corpus, meta.cache),
    dialect: meta.dialect,
  });
  const ties = result.ties.length === 0 ? "" : `, ${result.ties.length} ties that only recipes could break`;
  console.log(`environments/ ${result.agreed}/${result.total}${ties}`);
  for (const one of result.disagreements.slice(0, Number(values.show)))
    console.log(`  ${JSON.stringify(one)}`);
  disagreements += result.disagreements.length;
}
process.exitCode = disagreements === 0 ? 0 : 1;
