// What packages need to be bundled: files that they find by their path, and one that is published as it came.
import { copyFileSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** What a package imports if it is there, and what we do not bring. */
export const unbundledPackages = ["@napi-rs/nice"];

/**
 * OpenPGP.js has the LGPL: its users may put another version in the place of ours. So it is one file, unchanged.
 */
const vendored = { openpgp: "dist/node/openpgp.min.mjs" };

const vendoredFile = (name) => `vendor/${name}.mjs`;

/** Other entries of packages than those that Node would take. */
const aliases = {
  // These builds for Node are CommonJS, of which nothing unused can be left out; the others are the same code.
  yaml: "yaml/browser/dist/index.js",
  "@bokuweb/zstd-wasm": "@bokuweb/zstd-wasm/dist/esm/index.node.js",
};

/** Text of packages that finds a file beside itself, and what finds that file in `dist/`. Chunks are all in one folder. */
const replacements = {
  "@bokuweb/zstd-wasm/dist/esm/index.node.js": {
    from: `const { readFile } = require('fs/promises');
    const { resolve } = require('path');
    const buf = yield readFile(resolve(__dirname, './zstd.wasm'));`,
    to: `const { readFile } = yield import("node:fs/promises");
    const buf = yield readFile(new URL("./zstd.wasm", import.meta.url));`,
  },
  "piscina/dist/index.js": {
    from: "(0, node_path_1.resolve)(__dirname, 'worker.js')",
    to: `new URL("../install/poolWorker.js", import.meta.url).pathname`,
  },
};

/** Files of packages that are found by their path, and where. */
const copies = { "@bokuweb/zstd-wasm/dist/esm/zstd.wasm": "chunks/zstd.wasm" };

/**
 * The plugin of the bundler for all of this.
 * @param {string} root folder of `package.json`
 */
export function adaptPackages(root) {
  const modules = realpathSync(join(root, "node_modules"));
  const open = new Map(
    Object.entries(replacements).map(([file, change]) => [join(modules, file), { file, ...change }]),
  );
  return {
    name: "packages",
    resolveId(id) {
      if (Object.hasOwn(vendored, id)) return { id: `../${vendoredFile(id)}`, external: "relative" };
      return Object.hasOwn(aliases, id) ? join(modules, aliases[id]) : null;
    },
    transform(code, id) {
      const change = open.get(id);
      if (change === undefined) return null;
      if (!code.includes(change.from)) throw new Error(`${change.file} is not what it was: ${change.from}`);
      open.delete(id);
      return { code: code.replace(change.from, () => change.to), map: null };
    },
    buildEnd() {
      for (const { file } of open.values()) throw new Error(`${file} is not bundled any more`);
    },
  };
}

/** Copies what is published as it came. */
export function copyPackageFiles(root, dist) {
  const copy = (from, to) => {
    mkdirSync(dirname(join(dist, to)), { recursive: true });
    copyFileSync(join(root, "node_modules", from), join(dist, to));
  };
  for (const [name, file] of Object.entries(vendored)) copy(join(name, file), vendoredFile(name));
  for (const [from, to] of Object.entries(copies)) copy(from, to);
}

/** Folders of the packages that are published as they came: their licences are shown, too. */
export const vendoredFolders = (root) =>
  Object.keys(vendored).map((name) => join(root, "node_modules", name));
