/** Assembling images: from nothing, again, and with one package changed; beside real Spack with Buildah, and beside tar with pigz or zstd. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { alternate, printResults, programPath, skipped, timed } from "./measure.mjs";
import { openSpack, whyNoSpack } from "./spackBaseline.mjs";
import { syntheticCache } from "./syntheticCache.mjs";

const root = resolve(import.meta.dirname, "..");
const program = [process.execPath, join(root, "dist/cli/main.js")];
const corpus = resolve(root, "../shared/corpus");

/**
 * @param {{ work: string, runs: number, spackRuns: number, size: number, packages: number, only: ReadonlySet<string> }} options
 */
export async function benchAssembly(options) {
  if (options.only.has("corpus")) await benchCorpus(options);
  if (options.only.has("synthetic")) await benchSynthetic(options);
}

async function benchCorpus({ work, runs, spackRuns }) {
  if (!existsSync(corpus)) return skipped("corpus environment", "../shared/corpus is not there");
  const manifest = await readFile(join(corpus, "installed/spack.yaml"), "utf8");
  const changed = manifest.replace("  - py-ring\n", "  - py-ring@1.0.0\n");
  if (changed === manifest) throw new Error("the corpus has no py-ring");
  await benchEnvironment(
    {
      title: "corpus environment `installed`",
      cache: join(corpus, "v2"),
      key: join(corpus, "cache.pub"),
      recipes: join(corpus, "recipes"),
      base: { debian: "bookworm" },
      before: { manifest },
      after: { manifest: changed },
      // Real Spack gets the choice made already, ours makes it.
      spackLock: await readFile(join(corpus, "installed/spack.lock"), "utf8"),
      spackManifest: manifest.replace(/^ {2}view: .*$/m, "  view: true"),
    },
    { work: join(work, "corpus"), runs, spackRuns },
  );
}

async function benchSynthetic({ work, runs, spackRuns, size, packages }) {
  console.log(
    `\nmaking a cache of ${packages} packages, ${(size / 1e6).toFixed(0)} MB, unless it is there …`,
  );
  const made = await syntheticCache(join(work, "synthetic-cache"), {
    size,
    packages,
    onProgress: (text) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${text}`),
  });
  console.log(
    `${made.files} files, ${(made.bytes / 1e6).toFixed(0)} MB; ${made.elfFiles} ELF files with an RPATH`,
  );
  await benchEnvironment(
    {
      title: `synthetic environment of ${packages} packages`,
      cache: made.cache,
      key: made.key,
      recipes: made.recipes,
      base: { scratch: true },
      before: { manifest: made.manifest, lock: made.locks[0] },
      after: { manifest: made.manifest, lock: made.locks[1] },
      spackLock: made.locks[0],
      spackLockAfter: made.locks[1],
      spackManifest: made.manifest,
    },
    { work: join(work, "synthetic"), runs, spackRuns },
  );
}

async function benchEnvironment(inputs, { work, runs, spackRuns }) {
  const { title } = inputs;
  await rm(work, { recursive: true, force: true });
  const repository = join(work, "repository");
  const definition = join(repository, "container_definitions/amd64/bench");
  const home = join(work, "home");
  const store = join(home, "spacktainers");
  await mkdir(definition, { recursive: true });
  const configure = (compression) =>
    writeFile(
      join(repository, "spacktainers.yaml"),
      JSON.stringify({
        spacktainers: 1,
        caches: [{ url: inputs.cache, trust: [inputs.key] }],
        base: inputs.base,
        layers: { compression },
        // Files of this machine need libraries that the image does not have.
        ...(inputs.base.scratch === true ? { linkage: { "allow-unresolved": ["*"] } } : {}),
      }),
    );
  await configure("gzip");
  const define = async ({ manifest, lock }) => {
    await writeFile(join(definition, "spack.yaml"), manifest);
    await rm(join(definition, "spack.lock"), { force: true });
    if (lock !== undefined) await writeFile(join(definition, "spack.lock"), lock);
  };
  const spacktainers = (...args) =>
    timed([...program, ...args], { cwd: repository, env: { XDG_CACHE_HOME: home } });
  const build = () => spacktainers("build", "bench", "--quiet");
  const image = join(repository, "dist");

  // Once untimed: the base is then there, and the files are in the page cache for all alike.
  await define(inputs.before);
  await build();
  const tree = join(work, "tree");
  await spacktainers("unpack", "bench", "--into", tree, "--quiet");
  const bytes = treeBytes(tree);
  const total = `${(bytes / 1e6).toFixed(0)} MB as unpacked`;

  const cold = ["gzip", "zstd"].map((compression) => ({
    name: `spacktainers build, ${compression}, nothing there but the base`,
    bytes,
    async prepare() {
      await configure(compression);
      await rm(image, { recursive: true, force: true });
      for (const kept of await readdir(store))
        if (kept !== "base") await rm(join(store, kept), { recursive: true, force: true });
      settle();
    },
    run: build,
  }));
  for (const [compressor, command] of [
    ["pigz", "pigz -6"],
    ["zstd", "zstd -3 -T0 -q"],
  ]) {
    if (programPath(compressor) === undefined)
      skipped(`tar and ${compressor}`, `${compressor} is not installed`);
    else
      cold.push({
        name: `tar | ${command} of the same files`,
        bytes,
        prepare: settle,
        run: () =>
          timed([
            "sh",
            "-c",
            `tar -C "$1" -cf - . | ${command} >"$2"`,
            "sh",
            tree,
            join(work, `tree.${compressor}`),
          ]),
      });
  }
  const noSpack = whyNoSpack();
  let spack;
  if (noSpack !== undefined) skipped("real Spack and Buildah", noSpack);
  else {
    spack = await openSpack(join(work, "spack"), inputs);
    cold.push(...spackSteps(spack, inputs, bytes, spackRuns));
  }
  printResults(`${title}, cold (${total})`, withSum(await alternate(cold, runs)));

  await configure("gzip");
  await define(inputs.before);
  await build();
  printResults(
    `${title}, nothing changed`,
    await alternate([{ name: "spacktainers build again", run: build }], Math.max(runs, 5)),
  );

  // The state after the first build, taken back before each run; files are never changed in place, so links will do.
  const saved = join(work, "saved");
  await rm(saved, { recursive: true, force: true });
  await mkdir(saved);
  execFileSync("cp", ["-al", home, image, saved]);
  await define(inputs.after);
  const change = [
    {
      name: "spacktainers build, one package changed",
      async prepare() {
        for (const path of [home, image]) await rm(path, { recursive: true, force: true });
        execFileSync("cp", ["-al", join(saved, "home"), work]);
        execFileSync("cp", ["-al", join(saved, "dist"), repository]);
        settle();
      },
      run: build,
    },
  ];
  if (spack !== undefined && inputs.spackLockAfter !== undefined)
    change.push(
      {
        name: "Spack install --cache-only",
        runs: 1,
        run: () => spack.install(inputs.spackLockAfter, inputs.spackManifest),
      },
      { name: "Buildah copy, commit, push", runs: 1, run: () => spack.image() },
    );
  printResults(`${title}, one package changed`, withSum(await alternate(change, runs)));
  await spack?.close();
}

function spackSteps(spack, { spackLock, spackManifest }, bytes, runs) {
  return [
    {
      name: "Spack install --cache-only",
      runs,
      bytes,
      async prepare() {
        await spack.reset();
        settle();
      },
      run: () => spack.install(spackLock, spackManifest),
    },
    { name: "Buildah copy, commit, push", runs, bytes, prepare: settle, run: () => spack.image() },
  ];
}

/** Adds a row for Spack and Buildah together. */
function withSum(results) {
  const steps = results.filter(({ name }) => name.startsWith("Spack ") || name.startsWith("Buildah "));
  if (steps.length !== 2) return results;
  const [a, b] = steps;
  const add = (one, other) =>
    one === undefined || other === undefined
      ? undefined
      : { median: one.median + other.median, min: one.min + other.min, max: one.max + other.max };
  return [
    ...results,
    {
      name: "both together",
      bytes: a.bytes,
      runs: a.runs,
      wall: add(a.wall, b.wall),
      cpu: add(a.cpu, b.cpu),
    },
  ];
}

/** What others have still to write to disk must not be paid by the next run. */
function settle() {
  execFileSync("sync");
}

function treeBytes(tree) {
  const out = execFileSync("du", ["-s", "--apparent-size", "--block-size=1", tree], { encoding: "utf8" });
  return Number(out.split("\t")[0]);
}
