// Builds the package. `build/` gets every module as plain JavaScript with its types (tests and scripts use it); `dist/`,
// which is what is published, gets the same code in few files, for a quick start: what a command does not need is not in
// the files that it loads. Every package that the sources import is bundled, and its licence is written beside it; only what
// is native (`optionalDependencies`) stays a package.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";
import { writeLicences } from "./bundledLicences.mjs";
import { adaptPackages, copyPackageFiles, unbundledPackages } from "./bundledPackages.mjs";
import { writeCatalogueAssets } from "./catalogueAssets.mjs";
import { libraryEntries, writeTypes } from "./publishedTypes.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const { engines, optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
// The bundler cannot be loaded by an old Node: said here, before it is.
if (!("crc32" in zlib)) {
  console.error(`building needs Node.js ${engines.node}; this is ${process.version} (${process.execPath})`);
  process.exit(1);
}
const { rolldown } = await import("rolldown");
const build = join(root, "build");
const dist = join(root, "dist");
/** What is found by its path: files of `dist/` and their sources. */
const entries = {
  "archive/compressionWorker": "src/archive/compressionWorker.ts",
  "cli/start": "src/cli/start.ts",
  // The library.
  ...libraryEntries,
  "install/installWorker": "src/install/installWorker.ts",
  // The worker of the pool of threads, which starts the one above.
  "install/poolWorker": "node_modules/piscina/dist/worker.js",
};

const isExternal = (id) =>
  id.startsWith("node:") ||
  builtinModules.includes(id) ||
  [...Object.keys(optionalDependencies), ...unbundledPackages].some(
    (name) => id === name || id.startsWith(`${name}/`),
  );

rmSync(build, { recursive: true, force: true });
const tsc = join(root, "node_modules/typescript/bin/tsc");
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });

// Finished images of this repository lie in dist/, too: only what was built here goes.
for (const name of ["archive", "catalogue", "chunks", "cli", "install", "library", "man", "types", "vendor"])
  rmSync(join(dist, name), { recursive: true, force: true });
const bundle = await rolldown({
  cwd: root,
  input: entries,
  platform: "node",
  external: isExternal,
  plugins: [adaptPackages(root)],
  // A warning is an import that cannot be resolved, a cycle, or the like: nothing to publish.
  onLog(_level, log) {
    throw new Error(log.message);
  },
});
const { output } = await bundle.write({
  dir: dist,
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: "chunks/[name]-[hash].js",
  // What every command needs, and what all need that read definitions; the rest is split by what loads it.
  codeSplitting: {
    groups: [
      {
        name: "util",
        test: /\/src\/(util\/|archive\/layerCompression\.|cli\/(standardStreams|errorText)\.|definitions\/(builderImage|executorNames|hostArchitecture|schemaNames)\.)/,
      },
      {
        name: "definitions",
        test: /\/src\/((definitions|environment|spec)\/|store\/storeSchemes\.)|\/node_modules\/(yaml|zod)\//,
      },
      // Verbs' options are checked with it.
      { name: "reference", test: /\/src\/registry\/reference\./ },
      // Each file costs half a millisecond, however small it is.
      {
        name: "layout",
        test: /\/src\/(archive\/oci\/|image\/(annotations|fileLayer|followIndex|image|layer|layoutFiles|ociImage|openLayout|platform)\.)/,
      },
      {
        name: "workspace",
        test: /\/src\/(pipeline\/(workspace\/(architecture|workspace)\.|choose\/(configuredReading|machineSystem)\.)|base\/debian\/suites\.)/,
      },
      ...loadedTogether({
        start: ["src/cli/runCli.ts"],
        compression: ["src/archive/compressionWorker.ts"],
        installation: ["src/install/installWorker.ts"],
        list: ["src/commands/list/listContainers.ts"],
        run: ["src/commands/run/runContainer.ts"],
        check: ["src/commands/check/checkDefinitions.ts"],
        build: ["src/commands/build/buildContainers.ts"],
      }),
    ],
  },
  // Names of functions stay, so that a stack trace in a bug report can be read.
  minify: { compress: false, mangle: { keepNames: true }, codegen: { removeWhitespace: true } },
});
await bundle.close();
copyPackageFiles(root, dist);
await writeMain();
chmodSync(join(dist, "cli/main.js"), 0o755);
const clientModules = await writeCatalogueAssets(rolldown, root, dist);
writeLicences(root, dist, [...output.flatMap((chunk) => chunk.moduleIds ?? []), ...clientModules]);
writeTypes(root, isExternal);
const { commit, date } = builtFrom();
writeFileSync(join(dist, "built.json"), `${JSON.stringify({ commit })}\n`);
await writeManPages();

/**
 * Groups of modules that are always loaded together: those that the given ones import, those that these import, and so on, but for what
 * an earlier group has, and for files that are started by their name.
 */
function loadedTogether(starts) {
  const groups = new Map();
  const ownFiles = new Set(Object.values(entries).map((file) => join(root, file)));
  const groupOf = (id, context) => {
    if (groups.size === 0)
      for (const [name, files] of Object.entries(starts)) {
        const reached = new Set(files.map((file) => join(root, file)));
        for (const each of reached) {
          for (const next of context.getModuleInfo(each)?.importedIds ?? []) reached.add(next);
          if (!groups.has(each) && !ownFiles.has(each)) groups.set(each, name);
        }
      }
    return groups.get(id);
  };
  return Object.keys(starts).map((name) => ({
    name: (id, context) => (groupOf(id, context) === name ? name : null),
    debugName: name,
  }));
}

/** The commit that the sources are of, where they are as it has them, and its day. */
function builtFrom() {
  const git = (...words) =>
    execFileSync("git", ["-C", root, ...words], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    // A package that somebody unpacked inside of another repository is not of that one.
    if (git("rev-parse", "--show-prefix") !== "") return {};
    const isChanged =
      git("status", "--porcelain", "--", "src", "scripts", "package.json", "package-lock.json") !== "";
    return {
      commit: isChanged ? undefined : git("rev-parse", "HEAD"),
      date: git("log", "-1", "--format=%cs"),
    };
  } catch {
    return {};
  }
}

/** The manual, from what `--help` prints. */
async function writeManPages() {
  const { manPages } = await import(join(build, "cli/manual/manPages.js"));
  mkdirSync(join(dist, "man"), { recursive: true });
  for (const [name, text] of manPages(date ?? "")) writeFileSync(join(dist, "man", name), text);
}

/**
 * The program: what every Node reads first, so that an old one can be refused. It shares no file with the rest, and is no module
 * in its syntax: to Node 10 every `.js` file is a script.
 */
async function writeMain() {
  const start = {
    name: "start",
    resolveId: (id) => (id === "./start.ts" ? { id: "./start.js", external: "relative" } : null),
  };
  const main = await rolldown({ cwd: root, input: "src/cli/main.ts", platform: "node", plugins: [start] });
  const { output } = await main.generate({ format: "esm", minify: { compress: false, mangle: false } });
  await main.close();
  const code = output[0].code.replace(/export ?\{\s*\};?\s*$/, "");
  if (output.length !== 1 || /^(import|export)\b[^(]/m.test(code))
    throw new Error(`cli/main.ts is no script:\n${code}`);
  writeFileSync(join(dist, "cli/main.js"), code);
}
