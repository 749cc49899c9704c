// The files of a self-contained folder.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { launcher } from "./launcher.mjs";
import { lookBesideItself } from "./ownLibraries.mjs";
import { debianPackage, inputs, npmPackage } from "./sources.mjs";

const root = resolve(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const shells = {
  bash: "share/bash-completion/completions/spacktainers",
  zsh: "share/zsh/site-functions/_spacktainers",
  fish: "share/fish/vendor_completions.d/spacktainers.fish",
};

/**
 * Makes them. `npm run build` came before.
 * @param {"x64" | "arm64"} arch
 * @returns {Promise<{ name: string, files: ReadonlyMap<string, { mode: number, bytes: Buffer }> }>} the folder's name; its files by
 *   path, sorted
 */
export async function releaseFolder(arch) {
  const files = new Map([["bin/spacktainers", { mode: 0o755, bytes: launcher(arch) }]]);
  const add = (path, bytes, mode = 0o644) => files.set(path, { mode, bytes });
  for (const { path, mode } of packedFiles())
    add(`lib/spacktainers/${path}`, readFileSync(join(root, path)), mode);
  await addNode(arch, add);
  await addLibraries(arch, add);
  await addForeignFunctions(arch, add);
  for (const page of manifest.man)
    add(`share/man/man1/${page.split("/").at(-1)}`, readFileSync(join(root, page)));
  for (const [shell, path] of Object.entries(shells)) {
    const program = [join(root, "dist/cli/main.js"), "completion", shell];
    add(path, execFileSync(process.execPath, program));
  }
  for (const [path, { bytes }] of files) expectOldGlibc(path, bytes);
  const sorted = new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { name: `spacktainers-${manifest.version}-linux-${arch}`, files: sorted };
}

/** What `npm pack` would pack. */
function packedFiles() {
  const text = execFileSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ files }] = JSON.parse(text);
  if (!files.some(({ path }) => path === "dist/cli/main.js"))
    throw new Error("there is no program: npm run build");
  return files.map(({ path }) => ({ path, mode: path === "dist/cli/main.js" ? 0o755 : 0o644 }));
}

async function addNode(arch, add) {
  const { name, integrity } = inputs.architectures[arch].node;
  const files = await npmPackage(name, inputs.node, integrity);
  const program = files.get("bin/node").bytes;
  lookBesideItself(program);
  add("libexec/node", program, 0o755);
  add("share/licenses/node/LICENSE", files.get("LICENSE").bytes);
}

/** Those that Node's program wants beside the C library. */
async function addLibraries(arch, add) {
  const sources = inputs.architectures[arch].debian;
  for (const [name, pattern, target] of [
    ["libstdc++6", /\/libstdc\+\+\.so\.6\.[\d.]+$/, "libstdc++.so.6"],
    ["libgcc-s1", /\/libgcc_s\.so\.1$/, "libgcc_s.so.1"],
  ]) {
    const files = await debianPackage(sources[name]);
    const [found] = [...files].filter(([path]) => pattern.test(path));
    if (found === undefined) throw new Error(`${name} has no ${target}`);
    add(`libexec/${target}`, found[1].bytes);
  }
  const base = await debianPackage(sources["gcc-10-base"]);
  add("share/licenses/gcc/copyright", base.get("usr/share/doc/gcc-10-base/copyright").bytes);
}

/** The optional package, at the version that the lock file has. */
async function addForeignFunctions(arch, add) {
  const name = `@koromix/koffi-linux-${arch}`;
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const { version, integrity } = packages[`node_modules/${name}`];
  for (const [path, { bytes }] of await npmPackage(name, version, integrity))
    if (!path.startsWith("musl_")) add(`lib/spacktainers/node_modules/${name}/${path}`, bytes);
}

/** @throws {Error} where a program or library wants a newer C library than was promised */
function expectOldGlibc(path, bytes) {
  if (bytes.toString("latin1", 0, 4) !== "\x7fELF") return;
  const isNewer = (version) => version.localeCompare(inputs.glibc, "en", { numeric: true }) > 0;
  for (const [, version] of bytes.toString("latin1").matchAll(/\0GLIBC_(2\.\d+)(?:\.\d+)?(?=\0)/g))
    if (isNewer(version)) throw new Error(`${path} needs glibc ${version}; ${inputs.glibc} was promised`);
}

/**
 * The files as entries of an archive, folders before what is in them.
 * @param {string} place the folder that they are in, without a slash at its beginning
 */
export async function* folderEntries({ files }, place) {
  const { imageMtime } = await import(join(root, "build/archive/entry.js"));
  const common = { uid: 0, gid: 0, mtime: imageMtime };
  const folders = new Set();
  for (const [path, { mode, bytes }] of files) {
    const parts = [...place.split("/"), ...path.split("/")];
    for (let length = 1; length < parts.length; length++) {
      const parent = parts.slice(0, length).join("/");
      if (folders.has(parent)) continue;
      folders.add(parent);
      yield { ...common, type: "directory", path: parent, mode: 0o755 };
    }
    const content = (async function* () {
      yield bytes;
    })();
    yield { ...common, type: "file", path: parts.join("/"), mode, size: bytes.length, content };
  }
}
