/** The classic way, with real Spack and Buildah: install from the cache, copy into a container, commit, push. */
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { programPath, timed, together } from "./measure.mjs";

/**
 * What is missing for this comparison; undefined when nothing is.
 */
export function whyNoSpack() {
  const checkout = process.env.SPACKTAINERS_BENCH_SPACK;
  if (checkout === undefined) return "SPACKTAINERS_BENCH_SPACK names no Spack checkout";
  if (!existsSync(join(checkout, "bin/spack"))) return `there is no Spack in ${checkout}`;
  if (programPath("buildah") === undefined) return "buildah is not installed";
  return undefined;
}

/**
 * Prepares Spack with a mirror, its key and recipes, all below `work`.
 *
 * @param {string} work
 * @param {{ cache: string, key: string, recipes: string }} inputs
 * @returns `install(lock, manifest)`; `image()`: what comes after it;
 *   `reset()`: as if nothing had been installed; `close()`
 */
export async function openSpack(work, { cache, key, recipes }) {
  const spack = join(process.env.SPACKTAINERS_BENCH_SPACK, "bin/spack");
  const scope = join(work, "scope");
  const root = join(work, "software");
  const environment = join(work, "environment");
  const containers = join(work, "containers");
  // What Spack remembers of its recipes; making it takes a minute, which is not what is measured.
  const lasting = join(dirname(work), "..", "spack-memory");
  await rm(scope, { recursive: true, force: true });
  await mkdir(scope, { recursive: true });
  const yaml = {
    config: { install_tree: { root }, build_stage: [join(work, "stage")], misc_cache: join(lasting, "misc") },
    mirrors: { bench: { url: `file://${cache}`, signed: true } },
    repos: [recipes],
    // Buildcaches name the compiler; it is not run.
    compilers: [
      {
        compiler: {
          spec: "gcc@=12.2.0",
          operating_system: "debian12",
          modules: [],
          paths: { cc: "/usr/bin/gcc", cxx: "/usr/bin/g++", f77: null, fc: null },
        },
      },
    ],
  };
  for (const [name, value] of Object.entries(yaml))
    await writeFile(join(scope, `${name}.yaml`), JSON.stringify({ [name]: value }));
  const env = {
    SPACK_DISABLE_LOCAL_CONFIG: "1",
    SPACK_USER_CACHE_PATH: join(lasting, "user"),
    SPACK_GNUPGHOME: join(work, "gpg"),
  };
  const spackRun = (...args) => timed([spack, "-C", scope, ...args], { env });
  await mkdir(join(work, "gpg"), { recursive: true, mode: 0o700 });
  await spackRun("gpg", "trust", key);
  await spackRun("providers", "mpi");
  const buildah = (...args) =>
    timed(["buildah", "--root", join(containers, "root"), "--runroot", join(containers, "run"), ...args], {
      env: { BUILDAH_ISOLATION: "chroot" },
    });
  return {
    async reset() {
      await buildah("rm", "--all");
      await buildah("rmi", "--all", "--force");
      for (const path of [root, environment, join(work, "image")])
        await rm(path, { recursive: true, force: true });
    },
    async install(lock, manifest) {
      await mkdir(environment, { recursive: true });
      await writeFile(join(environment, "spack.yaml"), manifest);
      await writeFile(join(environment, "spack.lock"), lock);
      return spackRun("-e", environment, "install", "--cache-only");
    },
    async image() {
      const steps = [];
      const step = async (...args) => {
        const figures = await buildah(...args);
        steps.push(figures);
        return figures.stdout.trim();
      };
      const container = await step("from", "scratch");
      await step("copy", "--quiet", container, root, "/opt/software");
      await step("copy", "--quiet", container, join(environment, ".spack-env/view"), "/opt/view");
      await step("commit", "--quiet", container, "bench");
      await step("push", "--quiet", "bench", `oci:${join(work, "image")}:bench`);
      await buildah("rm", container);
      return together(steps);
    },
    async close() {
      await this.reset();
      // GnuPG leaves an agent behind.
      await timed(["gpgconf", "--homedir", join(work, "gpg"), "--kill", "gpg-agent"], { allowFailure: true });
    },
  };
}
