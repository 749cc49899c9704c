// Holds what we read from recipes against recordings of what real Spack says recipes do to the run environment. A
// recording is a file of JSON lines (`*.jsonl`, `*.jsonl.gz`), one record for a root, as
// ../shared/corpus/run-environment/README.md describes them; the recipes are a folder `packages/` of a repository.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { RecipeEnvironment } from "../build/recipes/recipeEnvironment.js";
import { parseDagHash } from "../build/spec/concrete.js";
import { readNode } from "../build/spec/readSpecfile.js";
import { FileTree } from "../build/view/fileTree.js";
import { recipeFiles } from "../build/view/recipeFiles.js";
import { specTester } from "../build/view/specTester.js";
import { usedPackages } from "../build/view/useModes.js";

/** The recordings in a folder that are of this form. */
export function runEnvironmentRecordings(folder) {
  return readdirSync(folder)
    .filter((name) => /\.jsonl(?:\.gz)?$/.test(name))
    .map((name) => ({ name, records: readRecords(join(folder, name)) }))
    .filter(({ records }) => records.length > 0 && records.every((one) => one.own && one.dependents));
}

function readRecords(file) {
  const bytes = readFileSync(file);
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line));
}

/** Text of the recipe of a package in a folder of recipes. */
function recipeReader(folder) {
  const known = new Map();
  return (name) => {
    if (!known.has(name)) {
      const plain = name.replaceAll("-", "_");
      const file = [plain, `_${plain}`, name]
        .map((one) => join(folder, one, "package.py"))
        .find((one) => existsSync(one));
      known.set(name, file === undefined ? undefined : readFileSync(file, "utf8"));
    }
    return known.get(name);
  };
}

/** Version of the spec files in which the nodes of a record are written. */
const nodeVersion = (nodes) =>
  Math.max(5, ...Object.values(nodes).map((node) => node.annotations?.original_specfile_version ?? 5));

function graphOf({ nodes, build_only: more = {} }) {
  const all = { ...nodes, ...more };
  const version = nodeVersion(all);
  const graph = new Map();
  for (const [key, node] of Object.entries(all)) {
    const read = readNode(node, {
      specfileVersion: version,
      place: { file: "recording" },
      hashIfMissing: parseDagHash(key),
      code: "LOCK_INVALID",
    });
    // Dependencies of build dependencies are not in a record.
    graph.set(read.hash, {
      ...read,
      dependencies: read.dependencies.filter((edge) => Object.hasOwn(all, edge.hash)),
    });
  }
  return graph;
}

/** The files of a record: those listed, and the directories that Spack was made to see (those alone, not what is around). */
function filesOf(record) {
  const entries = Object.entries(record.files ?? {}).map(([path, text]) => ({
    path: path.slice(1),
    type: "file",
    mode: 0o755,
    size: text.length,
    text: Buffer.from(text).toString("latin1"),
  }));
  if (record.files !== undefined)
    for (const prefix of Object.values(record.prefixes))
      entries.push({ path: prefix.slice(1), type: "directory", mode: 0o755, size: 0 });
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  const files = recipeFiles(new FileTree([{ entries }]));
  const assumed = new Set(record.assumed_directories);
  return { ...files, kindOf: (path) => (assumed.has(path) ? "directory" : files.kindOf(path)) };
}

/** What depends on a package, in the order of the record: the root first, then as its nodes. */
function dependentsOf(record, graph, hash) {
  const hashes = [record.root, ...Object.keys(record.spec.nodes).filter((one) => one !== record.root)];
  return hashes
    .map((one) => graph.get(one))
    .filter((spec) =>
      spec.dependencies.some(
        (edge) => edge.hash === hash && (edge.types.has("link") || edge.types.has("run")),
      ),
    );
}

const written = ({ operation, name, value, separator }) =>
  JSON.stringify([operation, name, Array.isArray(value) ? value.join(separator) : (value ?? ""), separator]);
const recorded = ({ op, name, value, separator }) =>
  JSON.stringify([op, name, value ?? "", separator ?? ":"]);
const same = (ours, spacks) =>
  ours.length === spacks.length && ours.every((one, index) => one === spacks[index]);

/** Whether two answers have the same changes in another order. */
const reordered = (ours, spacks) => same([...ours].sort(), [...spacks].sort());

/** What one record's packages do, by what was asked. */
function askRecipes(record, recipeOf) {
  const graph = graphOf(record.spec);
  const used = [...usedPackages(graph, [record.root])].reverse().map(({ spec }) => spec);
  const order = [true, false].flatMap((external) =>
    used.filter((spec) => (spec.external !== undefined) === external),
  );
  const environment = new RecipeEnvironment({
    graph,
    order,
    satisfies: specTester(graph),
    prefixOf: (spec) => record.prefixes[spec.hash] ?? spec.external?.path,
    recipeOf,
    files: filesOf(record),
  });
  const answers = new Map();
  for (const spec of order) {
    for (const dependent of dependentsOf(record, graph, spec.hash))
      answers.set(`${spec.hash} ${dependent.hash}`, environment.forDependent(spec, dependent));
    answers.set(spec.hash, environment.own(spec));
  }
  return { graph, order, answers };
}

/** One record: what agrees, and what is different where. */
function checkRecord(record, recipeOf) {
  const { graph, order, answers } = askRecipes(record, recipeOf);
  const differences = [];
  const counts = { own: [0, 0], dependents: [0, 0] };
  const compare = (kind, key, expected) => {
    const [hash, dependent] = key.split(" ");
    const { modifications, problems } = answers.get(key) ?? { modifications: [], problems: [] };
    const [ours, spacks] = [modifications.map(written), expected.map(recorded)];
    counts[kind][1]++;
    if (same(ours, spacks)) counts[kind][0]++;
    else
      differences.push({
        package: graph.get(hash)?.name ?? hash,
        ...(dependent === undefined ? {} : { dependent: graph.get(dependent)?.name }),
        ours: ours.filter((one) => !spacks.includes(one)),
        spack: spacks.filter((one) => !ours.includes(one)),
        reordered: reordered(ours, spacks),
        notices: [...new Set(problems.map(({ recipe, line, reason }) => `${recipe}:${line}: ${reason}`))],
      });
  };
  for (const { dependency, dependent, modifications } of record.dependents)
    compare("dependents", `${dependency} ${dependent}`, modifications);
  for (const [hash, { modifications }] of Object.entries({
    ...record.nodes,
    [record.root]: { modifications: record.own },
  }))
    compare("own", hash, modifications);
  // Dependents of one package come in the order of whatever Spack read, which is that of the record.
  const whole = order.flatMap(({ hash }) => [
    ...record.dependents
      .filter(({ dependency }) => dependency === hash)
      .flatMap(({ dependent }) => answers.get(`${hash} ${dependent}`)?.modifications ?? []),
    ...(answers.get(hash)?.modifications ?? []),
  ]);
  const noticed = [...answers.values()].some(({ problems }) => problems.length > 0);
  const wholeAgrees = same(whole.map(written), record.whole.map(recorded));
  return {
    counts,
    differences,
    noticed,
    whole: wholeAgrees,
    agrees: differences.length === 0 && wholeAgrees,
  };
}

/** Checks a recording: counts for the report, and the records that differ. */
export function checkRunEnvironments(records, recipesFolder) {
  const recipeOf = recipeReader(recipesFolder);
  const totals = {
    own: [0, 0],
    dependents: [0, 0],
    whole: 0,
    agreed: 0,
    needless: 0,
    noticed: 0,
    reordered: 0,
    silent: 0,
  };
  const disagreements = [];
  for (const record of records) {
    const { counts, differences, noticed, whole, agrees } = checkRecord(record, recipeOf);
    for (const kind of ["own", "dependents"])
      for (const index of [0, 1]) totals[kind][index] += counts[kind][index];
    if (whole) totals.whole++;
    if (agrees) {
      totals.agreed++;
      if (noticed) totals.needless++;
      continue;
    }
    // Each difference needs a notice of its own. An order within one method may be that of the file that Spack read.
    const rest = differences.filter((one) => !one.reordered);
    const silent = differences.length === 0 || rest.some((one) => one.notices.length === 0);
    const kind = silent ? "silent" : rest.length > 0 ? "noticed" : "reordered";
    totals[kind]++;
    disagreements.push({ package: record.package, request: record.request, kind, differences });
  }
  return { total: records.length, ...totals, disagreements };
}

/**
 * Prints the agreement of all recordings in a folder.
 * @returns how many records differ without a notice
 */
export function reportRunEnvironments(folder, recipesFolder, show) {
  let silent = 0;
  const recordings = runEnvironmentRecordings(folder);
  if (recordings.length === 0) throw new Error(`${folder} has no recordings of run environments`);
  for (const { name, records } of recordings) {
    const found = checkRunEnvironments(records, recipesFolder);
    const { own, dependents, total } = found;
    console.log(
      `${name} records ${found.agreed}/${total}: own methods ${own.join("/")}, dependents ${dependents.join("/")}, whole order ${found.whole}/${total}`,
    );
    console.log(
      `  of ${total - found.agreed} that differ: ${found.noticed} noticed, ${found.reordered} in the order of another file, ${found.silent} silent; of those that agree ${found.needless} have a notice`,
    );
    for (const one of found.disagreements.slice(0, show)) console.log(`  ${JSON.stringify(one)}`);
    if (found.disagreements.length > show) console.log(`  … and ${found.disagreements.length - show} more`);
    silent += found.silent;
  }
  return silent;
}
