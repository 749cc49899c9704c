/**
 * A signed build cache of made-up packages with real contents: shared objects, programs, Python and text files of this
 * machine, copied into long padded prefixes, with the relocation notes that Spack would write. Layout v2, so that real Spack
 * 0.23 installs from it too. Same machine, same size: same archives (signatures differ: the key is thrown away).
 *
 * ELF files get an RPATH into their own and another package's prefix (needs patchelf), text files some lines with prefixes.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { createCleartextMessage, generateKey, sign } from "openpgp";
import { programPath } from "./measure.mjs";

const run = promisify(execFile);
/** What the files are taken from. */
const sources = ["/usr/lib", "/usr/bin", "/usr/include", "/usr/share"];
const placeholder = "__spack_path_placeholder__";
/** As Spack pads: 128 characters. */
const buildRoot = `/opt/software/${`${placeholder}/`.repeat(5)}`.slice(0, 128).replace(/\/$/, "_");
const largestFile = 32 * 2 ** 20;
const arch = { platform: "linux", platform_os: "debian12", target: "x86_64_v3" };
const triple = "linux-debian12-x86_64_v3";
const compiler = { name: "gcc", version: "12.2.0" };
const formatVersion = 3;

/**
 * Makes the cache below `directory`, unless it is there already.
 *
 * @param {string} directory
 * @param {{ size: number, packages: number, onProgress?: (text: string) => void }} options `size`: bytes of all files
 * @returns what is where: `cache` (its root), `key` (public, armoured), `recipes` (for Spack), `locks` (texts of two locks that
 *   differ in one package), `manifest`, `tree` (the unpacked files), `bytes` and `files` in it, `elfFiles`
 */
export async function syntheticCache(directory, { size, packages, onProgress = () => {} }) {
  const record = join(directory, "record.json");
  const made = await readFile(record, "utf8").then(JSON.parse, () => undefined);
  if (made?.formatVersion === formatVersion && made.size === size && made.count === packages)
    return { ...made, ...paths(directory) };
  await rm(directory, { recursive: true, force: true });
  const at = paths(directory);
  const plan = plannedPackages(packages);
  const shares = plan.map(({ weight }) => weight);
  const total = shares.reduce((sum, share) => sum + share, 0);
  onProgress("looking for files");
  const chosen = await chooseFiles(size);
  const key = await generateKey({
    type: "ecc",
    curve: "ed25519Legacy",
    userIDs: [{ name: "bench", email: "bench@example.org" }],
    format: "object",
  });
  await mkdir(at.tree, { recursive: true });
  await mkdir(join(at.cache, "build_cache"), { recursive: true });
  await writeFile(at.key, key.publicKey.armor());
  const counts = { bytes: 0, files: 0, elfFiles: 0 };
  let next = 0;
  let due = 0;
  let given = 0;
  for (const one of plan) {
    const prefix = join(at.tree, prefixOf(one));
    due += (size * one.weight) / total;
    const files = [];
    // The changed version of a package has the same files but for what tells its prefix.
    if (one.sameFilesAs !== undefined) files.push(...plan.find(({ hash }) => hash === one.sameFilesAs).files);
    else
      for (; given < due && next < chosen.length; next++) {
        files.push(chosen[next]);
        given += chosen[next].size;
      }
    one.files = files;
    onProgress(`packing ${one.name}@${one.version}: ${files.length} files`);
    await pack(one, await fillPrefix(prefix, one, files, counts), at, key.privateKey);
  }
  await writeIndex(plan, at);
  await writeRecipes(plan, at);
  const { locks, manifest } = environment(plan);
  const result = { formatVersion, size, count: packages, ...counts, locks, manifest };
  await writeFile(record, JSON.stringify(result));
  return { ...result, ...at };
}

function paths(directory) {
  return {
    cache: join(directory, "cache"),
    key: join(directory, "cache.pub"),
    recipes: join(directory, "recipes"),
    tree: join(directory, "tree"),
  };
}

/** A made-up DAG hash. */
function hashOf(text) {
  const digest = createHash("sha1").update(text).digest();
  let bits = BigInt(`0x${digest.toString("hex")}`);
  let hash = "";
  for (let digit = 0; digit < 32; digit++) {
    hash += "abcdefghijklmnopqrstuvwxyz234567"[Number(bits & 31n)];
    bits >>= 5n;
  }
  return hash;
}

/** The packages: ten roots, the others below them; sizes from a few large to many small. The last is another root's new version. */
function plannedPackages(count) {
  const roots = Math.min(10, count);
  const plan = Array.from({ length: count }, (_, number) => ({
    name: `bench-${String(number).padStart(2, "0")}`,
    version: "1.0",
    hash: hashOf(`package ${number}`),
    root: number < roots,
    dependencies: [],
    // Spread so that roots are of all sizes.
    weight: 1 / (((number * 37) % count) + 2),
  }));
  for (const [number, one] of plan.entries()) {
    if (number < roots) continue;
    const above = [number < 3 * roots ? number % roots : roots + (number % (2 * roots)), number - 3];
    for (const parent of new Set(above))
      if (parent >= 0 && parent < number) plan[parent].dependencies.push(one);
  }
  const changed = plan[roots >> 1];
  return [
    ...plan,
    { ...changed, version: "1.1", hash: hashOf("changed"), weight: 0, sameFilesAs: changed.hash },
  ];
}

const prefixOf = ({ name, version, hash }) =>
  join(buildRoot, triple, `${compiler.name}-${compiler.version}`, `${name}-${version}-${hash}`);

/** Files of this machine to the given number of bytes, in an order that only their paths decide. */
async function chooseFiles(size) {
  const found = [];
  const walk = async (folder) => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await walk(path);
      // Spack 0.23 makes no view of files with, say, a backslash in their names.
      else if (entry.isFile() && /^[\w+.,@-]+$/.test(entry.name))
        found.push({ path, kind: kindOf(path), order: hashOf(path) });
    }
  };
  for (const source of sources) await walk(source);
  found.sort((a, b) => (a.order < b.order ? -1 : 1));
  // By bytes: much as in HPC packages.
  const wanted = { elf: 0.65, python: 0.15, other: 0.2 };
  const left = Object.fromEntries(Object.entries(wanted).map(([kind, share]) => [kind, share * size]));
  const chosen = [];
  for (let copy = 0; copy < 20 && Object.values(left).some((bytes) => bytes > 0); copy++)
    for (const file of found) {
      if (left[file.kind] <= 0) continue;
      file.size ??= (await stat(file.path)).size;
      if (file.size === 0 || file.size > Math.min(largestFile, size / 20)) continue;
      chosen.push({ ...file, copy });
      left[file.kind] -= file.size;
    }
  return chosen.sort((a, b) => (a.order + a.copy < b.order + b.copy ? -1 : 1));
}

function kindOf(path) {
  if (/\.so(\.[0-9.]+)?$/.test(path) || path.startsWith("/usr/bin/")) return "elf";
  return path.endsWith(".py") ? "python" : "other";
}

/** Puts a package's files into its prefix; returns what its relocation note lists. */
async function fillPrefix(prefix, one, files, counts) {
  const own = prefixOf(one);
  const other = one.dependencies[0] === undefined ? own : prefixOf(one.dependencies[0]);
  const note = { texts: [], binaries: [], links: [] };
  const patchelf = programPath("patchelf");
  const folders = { elf: `lib/${one.name}`, python: `lib/python/${one.name}`, other: `share/${one.name}` };
  for (const folder of ["bin", ".spack", ...Object.values(folders)])
    await mkdir(join(prefix, folder), { recursive: true });
  const queue = files.map((file, number) => ({ ...file, number }));
  const work = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const path = `${folders[file.kind]}/${file.number}-${basename(file.path)}`;
      const target = join(prefix, path);
      await copyFile(file.path, target);
      await chmod(target, 0o755);
      counts.files++;
      const head = await firstBytes(target);
      if (head.subarray(0, 4).equals(Buffer.from("\x7fELF")) && patchelf !== undefined) {
        const ok = await run(patchelf, ["--force-rpath", "--set-rpath", `${own}/lib:${other}/lib`, target])
          .then(() => true)
          .catch(() => false);
        if (ok) {
          counts.elfFiles++;
          note.binaries.push(path);
        }
      } else if (file.kind !== "elf" && file.number % 8 === 0 && !head.includes(0)) {
        // Configuration, scripts, .pc and .cmake files name prefixes.
        await writeFile(target, `\n# installed in ${own}, with ${other}/lib\n`, { flag: "a" });
        note.texts.push(path);
      }
      counts.bytes += (await stat(target)).size;
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  await symlink(`${other}/lib`, join(prefix, "lib", one.name, "other"));
  note.links.push(`lib/${one.name}/other`);
  await writeFile(join(prefix, "bin", one.name), `#!/bin/sh\nexec cat ${own}/share/${one.name}/*\n`, {
    mode: 0o755,
  });
  note.texts.push(`bin/${one.name}`);
  for (const list of Object.values(note)) list.sort();
  return note;
}

async function firstBytes(path) {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Spec file node. */
function node(one) {
  return {
    name: one.name,
    version: one.version,
    arch,
    compiler,
    namespace: "bench",
    parameters: {
      build_system: "generic",
      cflags: [],
      cppflags: [],
      cxxflags: [],
      fflags: [],
      ldflags: [],
      ldlibs: [],
    },
    package_hash: `${hashOf(one.name)}${hashOf(one.version).slice(0, 20)}====`,
    ...(one.dependencies.length === 0
      ? {}
      : {
          dependencies: one.dependencies.map(({ name, hash }) => ({
            name,
            hash,
            parameters: { deptypes: ["link"], virtuals: [] },
          })),
        }),
    hash: one.hash,
  };
}

function closure(one, seen = new Map()) {
  if (!seen.has(one.hash)) {
    seen.set(one.hash, one);
    for (const dependency of one.dependencies) closure(dependency, seen);
  }
  return [...seen.values()];
}

async function pack(one, note, at, privateKey) {
  const prefix = prefixOf(one);
  const specs = closure(one);
  const spec = { _meta: { version: 4 }, nodes: specs.map(node) };
  await writeFile(join(at.tree, prefix, ".spack/spec.json"), JSON.stringify({ spec }));
  const buildinfo = {
    sbang_install_path: "/opt/software/bin/sbang",
    buildpath: buildRoot,
    spackprefix: "/opt/spack",
    relative_prefix: prefix.slice(buildRoot.length + 1),
    relocate_textfiles: note.texts,
    relocate_binaries: note.binaries,
    relocate_links: note.links,
    hardlinks_deduped: true,
    hash_to_prefix: Object.fromEntries(specs.map((each) => [each.hash, prefixOf(each)])),
  };
  await writeFile(join(at.tree, prefix, ".spack/install_manifest.json"), "{}");
  const noteFile = join(at.tree, prefix, ".spack/binary_distribution");
  await writeFile(noteFile, JSON.stringify(buildinfo));
  const stem = `${triple}-${compiler.name}-${compiler.version}-${one.name}-${one.version}-${one.hash}`;
  const folder = join(
    at.cache,
    "build_cache",
    triple,
    `${compiler.name}-${compiler.version}`,
    `${one.name}-${one.version}`,
  );
  await mkdir(folder, { recursive: true });
  const archive = join(folder, `${stem}.spack`);
  const compressor = programPath("pigz") === undefined ? "gzip -6n" : "pigz -6n";
  const tar = "tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu";
  // Spack's archives name every folder above the prefix.
  const parents = prefix
    .slice(1)
    .split("/")
    .map((_, index, parts) => parts.slice(0, index + 1).join("/"))
    .slice(0, -1);
  const list = join(at.cache, "list");
  await writeFile(list, `${parents.join("\n")}\n`);
  const [parentsTar, ownTar] = [join(at.cache, "a.tar"), join(at.cache, "b.tar")];
  await run("sh", [
    "-ec",
    `cd "$1"; ${tar} --no-recursion -cf "$2" -T "$3"; ${tar} -cf "$4" "$5"; tar --concatenate -f "$2" "$4"; ${compressor} <"$2" >"$6"`,
    "sh",
    at.tree,
    parentsTar,
    list,
    ownTar,
    prefix.slice(1),
    archive,
  ]);
  for (const path of [list, parentsTar, ownTar]) await rm(path);
  const text = JSON.stringify(
    {
      spec,
      buildcache_layout_version: 2,
      binary_cache_checksum: { hash_algorithm: "sha256", hash: await sha256(archive) },
    },
    undefined,
    1,
  );
  const message = await createCleartextMessage({ text });
  await writeFile(
    join(at.cache, "build_cache", `${stem}.spec.json.sig`),
    await sign({ message, signingKeys: privateKey }),
  );
}

async function sha256(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

async function writeIndex(plan, at) {
  const installs = Object.fromEntries(
    plan.map((one) => [one.hash, { spec: node(one), ref_count: 1, in_buildcache: true }]),
  );
  const text = JSON.stringify({ database: { version: "7", installs } });
  await writeFile(join(at.cache, "build_cache/index.json"), text);
  const digest = createHash("sha256").update(text).digest("hex");
  await writeFile(join(at.cache, "build_cache/index.json.hash"), digest);
}

/** Recipes: real Spack wants one for every package it installs, from a cache too. */
async function writeRecipes(plan, at) {
  await mkdir(at.recipes, { recursive: true });
  await writeFile(join(at.recipes, "repo.yaml"), "repo:\n  namespace: bench\n");
  for (const { name } of plan) {
    const folder = join(at.recipes, "packages", name);
    await mkdir(folder, { recursive: true });
    const words = name.split("-").map((word) => word[0].toUpperCase() + word.slice(1));
    await writeFile(
      join(folder, "package.py"),
      `from spack.package import *\n\n\nclass ${words.join("")}(Package):\n    """Made up."""\n\n    homepage = "https://example.org"\n    version("1.1")\n    version("1.0")\n`,
    );
  }
}

/** The manifest and two locks: with a root's first, and with its changed version. */
function environment(plan) {
  const changed = plan.at(-1);
  const roots = plan.filter(({ root }) => root);
  const lockOf = (chosen) =>
    JSON.stringify({
      _meta: { "file-type": "spack-lockfile", "lockfile-version": 5, "specfile-version": 4 },
      spack: { version: "0.23.0", type: "git", commit: "" },
      roots: chosen.map(({ hash, name }) => ({ hash, spec: name })),
      concrete_specs: Object.fromEntries(
        [...new Map(chosen.flatMap((one) => closure(one).map((each) => [each.hash, each]))).values()].map(
          (one) => [one.hash, node(one)],
        ),
      ),
    });
  const before = roots.filter((one) => one !== changed);
  const after = before.map((one) => (one.hash === changed.sameFilesAs ? changed : one));
  const manifest = `spack:\n  specs:\n${before.map(({ name }) => `  - ${name}\n`).join("")}  view: true\n  concretizer:\n    unify: true\n`;
  return { locks: [lockOf(before), lockOf(after)], manifest };
}
