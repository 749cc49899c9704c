// Builds the package. `build/` gets every module as plain JavaScript with its types (tests and scripts use it); `dist/`,
// which is what is published, gets the same code in few files, for a quick start: what a command does not need is not in
// the files that it loads. Packages in `dependencies` stay packages; what the sources import besides is bundled, and its
// licences are written beside it.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const { dependencies, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
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
  index: "src/index.ts",
  "install/installWorker": "src/install/installWorker.ts",
};

const isExternal = (id) =>
  id.startsWith("node:") ||
  builtinModules.includes(id) ||
  Object.keys(dependencies).some((name) => id === name || id.startsWith(`${name}/`));

rmSync(build, { recursive: true, force: true });
const tsc = join(root, "node_modules/typescript/bin/tsc");
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });

// Finished images of this repository lie in dist/, too: only what was built here goes.
for (const name of ["archive", "chunks", "cli", "install", "types"])
  rmSync(join(dist, name), { recursive: true, force: true });
const bundle = await rolldown({
  cwd: root,
  input: entries,
  platform: "node",
  external: isExternal,
  // The parser's build for Node is CommonJS, of which nothing unused can be left out; this is the same code.
  resolve: { alias: { yaml: join(root, "node_modules/yaml/browser/dist/index.js") } },
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
        test: /\/src\/(util\/|archive\/layerCompression\.|cli\/(standardStreams|errorText)\.)/,
      },
      { name: "definitions", test: /\/src\/(definitions|environment|spec)\/|\/node_modules\/(yaml|zod)\// },
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
    ],
  },
  // Names stay, so that a stack trace in a bug report can be read.
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
});
await bundle.close();
await writeMain();
chmodSync(join(dist, "cli/main.js"), 0o755);
writeLicences(output.flatMap((chunk) => chunk.moduleIds ?? []));
writeTypes();

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

/** The licences of bundled packages, as these ask for. */
function writeLicences(modules) {
  const bundled = new Set(
    modules.flatMap((id) => /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.slice(1) ?? []),
  );
  if (bundled.size === 0) throw new Error("no bundled package was found: have the paths of modules changed?");
  const texts = [...bundled].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((each) => /^licen[cs]e(\.|$)/i.test(each));
    if (file === undefined) throw new Error(`${name} is bundled, but has no licence file to go with it`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  const head = "The files in this folder contain the following packages, which have licences of their own.\n";
  writeFileSync(join(dist, "THIRD-PARTY-LICENSES.txt"), [head, ...texts].join(`\n${"-".repeat(100)}\n\n`));
}

/** The types that the library's own types name, and no others. */
function writeTypes() {
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(file, "utf8");
    const written = text.replaceAll(
      /((?:\bfrom|\bimport\(|^import)\s*)"([^"]+)"/gm,
      (whole, before, specifier) => {
        if (specifier.startsWith(".")) {
          visit(resolve(dirname(file), specifier.replace(/\.[jt]s$/, ".d.ts")));
          return `${before}"${specifier.replace(/\.ts$/, ".js")}"`;
        }
        if (!isExternal(specifier))
          throw new Error(`${relative(root, file)}: types of ${specifier}, which is bundled, are published`);
        return whole;
      },
    );
    const target = join(dist, "types", relative(build, file));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, written);
  };
  const index = join(build, "index.d.ts");
  if (!existsSync(index)) throw new Error("tsc wrote no declarations");
  visit(index);
}
