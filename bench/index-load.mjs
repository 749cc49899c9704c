// How long an index of 130 000 specs takes: first load, warm look-up, memory; and how fast archives are verified.
// Run with `npm run build && node bench/index-load.mjs [NUMBER OF SPECS]`.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const root = resolve(import.meta.dirname, "..");
const dist = (path) => import(pathToFileURL(join(root, "dist", path)).href);
const [mode, ...args] = process.argv.slice(2);

/** One measurement in a process of its own, so that its memory is its own. */
async function measure(cache, home, hash) {
  const begin = performance.now();
  const { openBuildCache } = await dist("buildcache/buildCache.js");
  const source = { url: cache, keys: [], unsigned: true };
  const [index] = await openBuildCache(source, { emit: () => {}, cacheDir: home }).indexes();
  const found = index.has(hash);
  const ms = performance.now() - begin;
  const before = performance.now();
  const spec = index.spec(hash);
  const specMs = performance.now() - before;
  const rss = process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({ ms, specMs, rss, found, name: spec.name, size: index.size }));
}

async function verify(cache, home, file, digest) {
  const { openArchiveStore } = await dist("buildcache/archives.js");
  const { openFileStore } = await dist("buildcache/fileStore.js");
  const emit = () => {};
  const store = openFileStore(cache, { emit, signal: undefined });
  const begin = performance.now();
  const pkg = {
    digest,
    archivePath: file,
    size: undefined,
    archiveUrl: file,
    spec: { name: "x", version: "1", hash: "" },
  };
  const { size } = await openArchiveStore(home, emit).fetch(store, pkg);
  console.log(JSON.stringify({ ms: performance.now() - begin, size }));
}

function child(...more) {
  const begin = performance.now();
  const out = execFileSync(process.execPath, [import.meta.filename, ...more.map(String)], {
    encoding: "utf8",
  });
  return { ...JSON.parse(out), wall: performance.now() - begin };
}

async function main(count) {
  const work = mkdtempSync(join(tmpdir(), "spacktainers-bench-"));
  try {
    const tsc = join(root, "node_modules/.bin/tsc");
    const source = join(root, "test/support/syntheticIndex.ts");
    const types = join(root, "node_modules/@types");
    const flags = ["--outDir", work, "--module", "nodenext", "--target", "es2023", "--skipLibCheck"];
    writeFileSync(join(work, "package.json"), '{"type":"module"}');
    execFileSync(tsc, [...flags, "--ignoreConfig", "--typeRoots", types, "--types", "node", source]);
    const { writeSyntheticIndex } = await import(pathToFileURL(join(work, "syntheticIndex.js")).href);
    const cache = join(work, "cache");
    mkdirSync(join(cache, "build_cache"), { recursive: true });
    const { hashes, bytes } = await writeSyntheticIndex(join(cache, "build_cache/index.json"), count);
    const home = join(work, "home");
    const hash = hashes[Math.floor(count / 2)];
    console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`);
    console.log(`index: ${count} specs, ${(bytes / 1e6).toFixed(0)} MB`);
    const rows = [["first load", child("measure", cache, home, hash)]];
    for (let run = 1; run <= 3; run++) rows.push([`warm ${run}`, child("measure", cache, home, hash)]);
    for (const [name, { ms, wall, specMs, rss }] of rows) {
      const times = `${ms.toFixed(0)} ms in the program, ${wall.toFixed(0)} ms with start-up`;
      console.log(`${name}: ${times}; first spec ${specMs.toFixed(1)} ms; peak memory ${rss.toFixed(0)} MB`);
    }
    const file = "archive";
    const piece = Buffer.alloc(64 << 20, "some content of an archive ");
    const { createHash } = await import("node:crypto");
    const sum = createHash("sha256");
    for (let at = 0; at < 16; at++) {
      writeFileSync(join(cache, file), piece, { flag: "a" });
      sum.update(piece);
    }
    const digest = `sha256:${sum.digest("hex")}`;
    const first = child("verify", cache, home, file, digest);
    const again = child("verify", cache, home, file, digest);
    const rate = first.size / 2 ** 20 / (first.ms / 1000);
    console.log(
      `verify 1 GiB in a local cache: ${rate.toFixed(0)} MiB/s; known already: ${again.ms.toFixed(1)} ms`,
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (mode === "measure") await measure(...args);
else if (mode === "verify") await verify(...args);
else await main(Number(mode ?? 130_000));
