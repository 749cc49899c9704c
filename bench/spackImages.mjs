/**
 * Spack's own way to images: packages that are installed, pushed to a registry as a build cache, with an image of them all.
 * Without `--base-image`: Spack reads that over HTTPS only, and adds nothing of it but its layers' names.
 */
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timed } from "./measure.mjs";

/** What is missing for this comparison; undefined when nothing is. */
export function whyNoSpackImages() {
  const checkout = process.env.SPACKTAINERS_BENCH_SPACK_1;
  if (checkout === undefined) return "SPACKTAINERS_BENCH_SPACK_1 names no Spack 1.1 checkout";
  if (!existsSync(join(checkout, "bin/spack"))) return `there is no Spack in ${checkout}`;
  return undefined;
}

/**
 * Prepares Spack with a build cache, its key and recipes, all below `work`.
 *
 * @param {string} work
 * @param {{ cache: string, key: string, recipes: string, locks: readonly string[], manifest: string }} made
 * @param {string} host of the registry
 */
export async function openSpackImages(work, made, host) {
  const spack = join(process.env.SPACKTAINERS_BENCH_SPACK_1, "bin/spack");
  const scope = join(work, "scope");
  await rm(work, { recursive: true, force: true });
  await mkdir(scope, { recursive: true });
  const yaml = {
    config: {
      install_tree: { root: join(work, "software") },
      build_stage: [join(work, "stage")],
      misc_cache: join(work, "misc"),
    },
    mirrors: {
      bench: { url: `file://${made.cache}`, signed: true },
      images: { url: `oci+http://${host}/spack/bench`, signed: false },
    },
    // In place of those of the network.
    "repos:": { bench: await writeRecipes(join(work, "recipes"), made.locks) },
  };
  for (const [name, value] of Object.entries(yaml))
    await writeFile(join(scope, `${name.replace(":", "")}.yaml`), JSON.stringify({ [name]: value }));
  const env = {
    SPACK_DISABLE_LOCAL_CONFIG: "1",
    SPACK_USER_CACHE_PATH: join(work, "user"),
    SPACK_GNUPGHOME: join(work, "gpg"),
  };
  const spackRun = (...args) => timed([spack, "-C", scope, ...args], { env });
  await mkdir(join(work, "gpg"), { recursive: true, mode: 0o700 });
  await spackRun("gpg", "trust", made.key);
  let environment = "";
  const push = () =>
    spackRun("-e", environment, "buildcache", "push", "--unsigned", "--tag", "bench", "images");
  return {
    push,
    /** Installs the packages of a lock, unless they are there, and makes their environment the one that is pushed. */
    async install(which) {
      environment = join(work, `environment-${which}`);
      await mkdir(environment, { recursive: true });
      await writeFile(join(environment, "spack.yaml"), made.manifest);
      await writeFile(join(environment, "spack.lock"), made.locks[which]);
      await spackRun("-e", environment, "install", "--cache-only");
    },
    steps: (name, runs, prepare) => [{ name, runs, prepare, run: push }],
    async close() {
      // GnuPG leaves an agent behind.
      await timed(["gpgconf", "--homedir", join(work, "gpg"), "--kill", "gpg-agent"], { allowFailure: true });
    },
  };
}

/** The cache's recipes in the form that Spack 1 has; nothing is built by them. */
async function writeRecipes(folder, locks) {
  const repository = join(folder, "spack_repo/bench");
  await mkdir(repository, { recursive: true });
  await writeFile(join(repository, "repo.yaml"), "repo:\n  namespace: bench\n  api: v2.0\n");
  const specs = locks.flatMap((lock) => Object.values(JSON.parse(lock).concrete_specs));
  for (const name of new Set(specs.map((spec) => spec.name))) {
    const versions = new Set(specs.filter((spec) => spec.name === name).map(({ version }) => version));
    const folderOfPackage = join(repository, "packages", name.replaceAll("-", "_"));
    const words = name.split("-").map((word) => word[0].toUpperCase() + word.slice(1));
    await mkdir(folderOfPackage, { recursive: true });
    await writeFile(
      join(folderOfPackage, "package.py"),
      [
        "from spack.package import *",
        "",
        "",
        `class ${words.join("")}(PackageBase):`,
        '    """Made up."""',
        "    has_code = False",
        "",
        ...[...versions].map((version) => `    version("${version}")`),
        "",
      ].join("\n"),
    );
  }
  return repository;
}
