// The environments part of the oracle: what we choose from a cache, held against what real Spack chose when it could reuse
// only that cache. Used by scripts/oracle.mjs; also `node scripts/oracleEnvironments.mjs FOLDER CACHE DIALECT`.
//
// FOLDER has one JSON file for each manifest (or *.jsonl files with one a line): `spack.yaml`, `solved`, `roots` (spec,
// hash), `missing` (what Spack would have built). We agree when Spack found everything in the cache and we choose the same
// roots, or when it did not and we choose nothing. A tie is counted apart: our choice and Spack's are equal up to the point
// where Spack prefers default values of variants, which a cache cannot tell.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { chooseFromCaches, prepareChoice } from "../build/concretize/chooseFromCaches.js";
import { sourceOf } from "../build/concretize/packageSource.js";
import { isDefaultsTie } from "../build/concretize/ties.js";
import { readManifest } from "../build/environment/manifest.js";
import { isAtLeast } from "../build/spec/microarchitecture.js";
import { readNode } from "../build/spec/readSpecfile.js";
import { SpacktainersError, SpacktainersErrors } from "../build/util/errors.js";

/** Version of the database to the version of its nodes. */
const nodeVersions = new Map([
  ["5", 1],
  ["6", 3],
  ["7", 4],
  ["8", 5],
  ["9", 6],
]);

function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** The file of a cache's index, in layout v2 or v3. */
function indexFile(cache) {
  const old = join(cache, "build_cache/index.json");
  if (existsSync(old)) return old;
  const manifest = readJson(join(cache, "v3/manifests/index/index.manifest.json"));
  const record = manifest.data.find(({ mediaType }) => /\.db\.v\d+\+json$/.test(mediaType));
  return join(cache, "blobs/sha256", record.checksum.slice(0, 2), record.checksum);
}

/** The specs of a cache, and which of them can be downloaded. */
export function readCacheSpecs(cache) {
  const file = indexFile(cache);
  const { version, installs } = readJson(file).database;
  const specs = Object.entries(installs).map(([hash, { spec }]) =>
    readNode(spec, { specfileVersion: nodeVersions.get(version), place: { file }, hashIfMissing: hash }),
  );
  const available = new Set(Object.keys(installs).filter((hash) => installs[hash].in_buildcache));
  return { specs, available };
}

/** Every recording of a folder, with a name. */
function recordings(folder) {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      if (name.endsWith(".json")) return [{ name, recording: readJson(path) }];
      if (!name.endsWith(".jsonl")) return [];
      return readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map((line, index) => ({ name: `${name}:${index + 1}`, recording: JSON.parse(line) }));
    });
}

function messages(thrown) {
  if (thrown instanceof SpacktainersErrors) return thrown.errors.flatMap(messages);
  if (thrown instanceof SpacktainersError)
    return [
      `${thrown.place.line ?? "?"}:${thrown.place.column ?? "?"} ${thrown.message}${thrown.hint ? ` (${thrown.hint})` : ""}`,
    ];
  throw thrown;
}

function sameRoots(a, b) {
  return JSON.stringify([...a].sort()) === JSON.stringify([...b].sort());
}

/**
 * The roots that a cache can tell. A package of the system is made up by Spack from its configuration, unless the cache knows
 * that very one.
 */
function comparable(roots, external, source) {
  const madeUp = external.filter((hash) => source.spec(hash) === undefined);
  const rest = roots.expected.filter((hash) => !madeUp.includes(hash));
  const ours = roots.ours.filter((hash) => rest.includes(hash) || source.spec(hash)?.external === undefined);
  return madeUp.length === 0 || rest.length === roots.expected.length ? roots : { expected: rest, ours };
}

/** Our answer to one recording. */
function answer(recording, source, platform, dialect) {
  const reading = readManifest(recording["spack.yaml"], "spack.yaml", { dialect, platform });
  if (reading.environment === undefined) return { refused: reading.errors.flatMap(messages) };
  const { environment } = reading;
  try {
    const resolution = chooseFromCaches(environment, source, platform);
    return { environment, roots: resolution.roots.map(({ hash }) => hash) };
  } catch (thrown) {
    return { environment, refused: messages(thrown) };
  }
}

/**
 * What Spack would have built. A build dependency of a reused package that the cache only knows (Spack 1.x never pushes its
 * compiler wrapper) is not built.
 */
function reallyMissing({ missing, roots }, source) {
  const needed = new Set(roots.map(({ hash }) => hash));
  for (const hash of needed)
    for (const edge of source.spec(hash)?.dependencies ?? [])
      if (edge.types.has("link") || edge.types.has("run")) needed.add(edge.hash);
  return missing.filter((hash) => needed.has(hash) || source.spec(hash) === undefined);
}

/**
 * @param folder recordings
 * @param options `cache`: folder of the cache that Spack reused; `dialect`; `target`: the platform's, by default the newest
 *   that anything in the cache was made for
 * @returns `{ total, agreed, ties, disagreements: [{ name, spack, ours }] }`
 */
export function checkEnvironments(folder, { cache, dialect, target }) {
  const { specs, available } = readCacheSpecs(cache);
  const source = sourceOf(specs, (hash) => available.has(hash));
  const newest = specs.map((spec) => spec.target).reduce((a, b) => (isAtLeast(b, a) ? b : a));
  const platform = { target: target ?? newest };
  const disagreements = [];
  const ties = [];
  let total = 0;
  for (const { name, recording } of recordings(folder)) {
    total++;
    const ours = answer(recording, source, platform, dialect);
    const found = recording.solved && reallyMissing(recording, source).length === 0;
    const expected = found ? recording.roots.map(({ hash }) => hash) : undefined;
    if (expected === undefined || ours.roots === undefined) {
      if (expected === ours.roots) continue;
    } else {
      const roots = comparable({ expected, ours: ours.roots }, recording.external ?? [], source);
      if (sameRoots(roots.expected, roots.ours)) continue;
    }
    const spack = found
      ? recording.roots.map(({ spec, hash }) => `${spec} /${hash.slice(0, 7)}`)
      : recording.solved
        ? `${reallyMissing(recording, source).length} missing`
        : "no solution";
    const report = { name, spack, ours: ours.refused ?? ours.roots.map((hash) => `/${hash.slice(0, 7)}`) };
    const context =
      expected === undefined || ours.roots === undefined
        ? undefined
        : prepareChoice(ours.environment, source, platform);
    if (context !== undefined && isDefaultsTie(context, ours.roots, expected)) ties.push(report);
    else disagreements.push(report);
  }
  return { total, agreed: total - disagreements.length - ties.length, ties, disagreements };
}

if (resolve(process.argv[1] ?? "") === import.meta.filename) {
  const [folder, cache, dialect = "0.x", target] = process.argv.slice(2);
  const result = checkEnvironments(folder, { cache, dialect, ...(target === undefined ? {} : { target }) });
  console.log(`environments ${result.agreed}/${result.total}, ties ${result.ties.length}`);
  for (const [label, reports] of Object.entries({ tie: result.ties, disagreement: result.disagreements }))
    for (const { name, spack, ours } of reports)
      console.log(
        `  ${label} ${name}\n    spack ${JSON.stringify(spack)}\n    ours  ${JSON.stringify(ours)}`,
      );
  process.exitCode = result.disagreements.length === 0 ? 0 : 1;
}
