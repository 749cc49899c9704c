/** Indexes of large caches: first load, "is this hash there", choosing ten roots. Each in a process of its own. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { alternate, printResults, timed } from "./measure.mjs";

const root = resolve(import.meta.dirname, "..");
const built = (path) => import(pathToFileURL(join(root, "build", path)).href);

if (process.argv[1] === import.meta.filename) await child(...process.argv.slice(2));

/** @param {{ work: string, runs: number, specs: number }} options */
export async function benchIndex(options) {
  for (const packages of ["many", "one"]) await benchOneIndex({ ...options, packages });
}

async function benchOneIndex({ work, runs, specs, packages }) {
  const cache = join(work, `cache-${specs}-${packages}`);
  const index = join(cache, "build_cache/index.json");
  const facts = join(cache, "facts.json");
  if (!existsSync(facts)) {
    await mkdir(join(cache, "build_cache"), { recursive: true });
    const { writeSyntheticIndex } = await syntheticIndex(join(work, "compiled"));
    const { hashes, bytes } = await writeSyntheticIndex(index, specs, packages);
    await writeFile(facts, JSON.stringify({ bytes, hash: hashes[Math.floor(specs / 2)] }));
  }
  const { bytes, hash } = JSON.parse(await readFile(facts, "utf8"));
  const environment = join(work, `${packages}.yaml`);
  await writeFile(environment, await tenRoots(index, packages));
  const home = join(work, `home-${packages}`);
  const run =
    (...args) =>
    () =>
      timed([process.execPath, import.meta.filename, ...args]);
  const forget = () => rm(home, { recursive: true, force: true });
  const title = `index of ${specs} specs of ${packages === "one" ? "one package" : "many packages"}, ${(bytes / 1e6).toFixed(0)} MB, in a local cache`;
  printResults(
    `${title}: first load`,
    await alternate(
      [
        { name: "load and keep", bytes, prepare: forget, run: run("has", cache, home, hash) },
        { name: "JSON.parse of the file", bytes, run: run("parse", index) },
      ],
      runs,
    ),
  );
  printResults(
    `${title}: loaded before`,
    await alternate(
      [
        { name: "node, doing nothing", run: () => timed([process.execPath, "--eval", "0"]) },
        { name: "is this hash there", run: run("has", cache, home, hash) },
        { name: "choose ten roots", run: run("choose", cache, home, environment) },
      ],
      Math.max(runs, 5),
    ),
  );
}

/** The generator is TypeScript that tests share. */
async function syntheticIndex(out) {
  const source = join(root, "test/support/syntheticIndex.ts");
  const types = join(root, "node_modules/@types");
  await mkdir(out, { recursive: true });
  await writeFile(join(out, "package.json"), '{"type":"module"}');
  const flags = ["--ignoreConfig", "--module", "nodenext", "--target", "es2023", "--skipLibCheck"];
  execFileSync(join(root, "node_modules/.bin/tsc"), [
    ...flags,
    ...["--outDir", out, "--typeRoots", types, "--types", "node", source],
  ]);
  return import(pathToFileURL(join(out, "syntheticIndex.js")).href);
}

/** A manifest of ten packages of the index that can be had, found from its first specs. */
async function tenRoots(index, packages) {
  const { installs } = JSON.parse(await readFile(index, "utf8")).database;
  const available = (hash, seen = new Set()) => {
    if (seen.has(hash)) return true;
    seen.add(hash);
    const record = installs[hash];
    return (
      record?.in_buildcache === true &&
      record.spec.arch.target === "x86_64_v3" &&
      (record.spec.dependencies ?? [])
        .filter(({ parameters }) => parameters.deptypes.includes("link"))
        .every((dependency) => available(dependency.hash, seen))
    );
  };
  const roots = new Map();
  for (const [hash, { spec }] of Object.entries(installs)) {
    if (roots.size === 10) break;
    if (packages === "one" && spec.name !== "pkg-one") continue;
    const key = packages === "one" ? spec.version : spec.name;
    if (!roots.has(key) && available(hash)) roots.set(key, spec);
  }
  const specs = [...roots.values()].map(({ name, version }) => `  - ${name}@=${version}\n`);
  return `spack:\n  specs:\n${specs.join("")}  concretizer:\n    unify: false\n`;
}

/** One measurement. */
async function child(mode, ...args) {
  if (mode === "parse") {
    JSON.parse(await readFile(args[0], "utf8"));
    return;
  }
  const [cache, home, subject] = args;
  const { openCacheSet } = await built("buildcache/cacheSet.js");
  const source = { url: cache, keys: [], unsigned: true };
  const caches = openCacheSet([source], { emit: () => {}, cacheDir: home });
  const index = await caches.index();
  if (mode === "has") {
    if (!index.has(subject)) throw new Error(`${subject} is not there`);
  } else {
    const { loadManifest } = await built("environment/load.js");
    const { chooseFromCaches } = await built("concretize/chooseFromCaches.js");
    const { environment } = await loadManifest(subject);
    chooseFromCaches(environment, index, { target: "x86_64_v3" });
  }
  await caches.close();
}
