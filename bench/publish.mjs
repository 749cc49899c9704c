/**
 * Publishing to a registry of this machine: ours, Buildah's commit and push of the same files, and Spack's own images of a
 * build cache. The first push, one package of the environment changed, and nothing changed from a machine with nothing on it.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { alternate, printResults, programPath, skipped, timed, together } from "./measure.mjs";
import { openSpackImages, whyNoSpackImages } from "./spackImages.mjs";
import { syntheticCache } from "./syntheticCache.mjs";

const root = resolve(import.meta.dirname, "..");
const program = [process.execPath, join(root, "dist/cli/main.js")];

/**
 * @param {{ work: string, runs: number, spackRuns: number, size: number, packages: number }} options
 */
export async function benchPublish({ work, runs, spackRuns, size, packages }) {
  if (programPath("docker-registry") === undefined)
    return skipped("publishing", "docker-registry is not installed");
  await mkdir(work, { recursive: true });
  console.log(
    `\nmaking a cache of ${packages} packages, ${(size / 1e6).toFixed(0)} MB, unless it is there …`,
  );
  const made = await syntheticCache(join(work, "synthetic-cache"), {
    size,
    packages,
    onProgress: (text) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${text}`),
  });
  const registry = await startRegistry(join(work, "registry"));
  let spack;
  try {
    spack = await opened(made, registry.host, work);
    const ours = await openOurs(made, registry.host, work);
    const buildah = openBuildah(registry.host, work);
    // Once untimed: what Buildah and Spack need installed, and the files in the page cache for all alike.
    const trees = [await ours.tree(0), await ours.tree(1)];
    await spack?.install(0);

    const first = [
      {
        name: "spacktainers push, from an empty machine",
        async prepare() {
          await registry.empty();
          await ours.empty();
          await ours.define(0);
        },
        run: ours.push,
      },
      ...buildah.steps("Buildah copy, commit, push of installed files", async () => {
        await registry.empty();
        await buildah.empty();
        return trees[0];
      }),
      ...(spack?.steps("Spack buildcache push --tag of installed packages", spackRuns, () =>
        registry.empty(),
      ) ?? []),
    ];
    printResults(
      `first push of ${packages} packages, ${(size / 1e6).toFixed(0)} MB`,
      await alternate(first, runs),
    );

    // What the registry and each machine have after the first push; taken back before each run.
    await registry.empty();
    await ours.empty();
    await ours.define(0);
    await ours.push();
    await buildah.empty();
    if (buildah.exists) await buildah.run(trees[0]);
    await spack?.push();
    await registry.save();
    await ours.save();
    const same = [
      {
        name: "spacktainers push, from an empty machine",
        async prepare() {
          await registry.restore();
          await ours.empty();
          await ours.define(0);
        },
        run: ours.push,
      },
      ...buildah.steps("Buildah copy, commit, push of installed files", async () => {
        await registry.restore();
        await buildah.empty();
        return trees[0];
      }),
      ...(spack?.steps("Spack buildcache push --tag of installed packages", spackRuns, () =>
        registry.restore(),
      ) ?? []),
    ];
    printResults("nothing changed", await alternate(same, runs));

    await spack?.install(1);
    const change = [
      {
        name: "spacktainers push, from the machine of the first push",
        async prepare() {
          await registry.restore();
          await ours.restore();
          await ours.define(1);
        },
        run: ours.push,
      },
      {
        name: "spacktainers push, from an empty machine",
        async prepare() {
          await registry.restore();
          await ours.empty();
          await ours.define(1);
        },
        run: ours.push,
      },
      ...buildah.steps("Buildah copy, commit, push of installed files", async () => {
        await registry.restore();
        return trees[1];
      }),
      ...(spack?.steps("Spack buildcache push --tag of installed packages", spackRuns, () =>
        registry.restore(),
      ) ?? []),
    ];
    printResults("one package changed", await alternate(change, runs));
    await buildah.empty();
  } finally {
    await spack?.close();
    await registry.close();
  }
}

async function opened(made, host, work) {
  const why = whyNoSpackImages();
  if (why !== undefined) {
    skipped("Spack's own images", why);
    return undefined;
  }
  return openSpackImages(join(work, "spack-images"), made, host);
}

/** Debian's registry on a free port; `save` and `restore` take its contents and put them back. */
async function startRegistry(folder) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const data = join(folder, "data");
  const saved = join(folder, "saved");
  const config = join(folder, "config.yml");
  await writeFile(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${data}}}\nhttp: {addr: "${host}"}\n`,
  );
  let child;
  const stop = async () => {
    if (child === undefined) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill();
    await ended;
    child = undefined;
  };
  const start = async () => {
    child = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
    for (let attempt = 0; ; attempt++) {
      const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
      if (answer?.ok) return;
      if (attempt > 200) throw new Error("the registry does not start");
      await sleep(50);
    }
  };
  await start();
  const replace = async (from) => {
    await stop();
    await rm(data, { recursive: true, force: true });
    // Blobs are never changed in place; the small files that tags are, are.
    if (from !== undefined) execFileSync("cp", ["-a", from, data]);
    await start();
    execFileSync("sync");
  };
  return {
    host,
    empty: () => replace(undefined),
    async save() {
      await rm(saved, { recursive: true, force: true });
      execFileSync("cp", ["-a", data, saved]);
    },
    restore: () => replace(saved),
    close: stop,
  };
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** This program, with a repository, and a machine's store that can be emptied and brought back. */
async function openOurs(made, host, work) {
  const repository = join(work, "repository");
  const definition = join(repository, "container_definitions/amd64/bench");
  const home = join(work, "home");
  const saved = join(work, "home-saved");
  await rm(repository, { recursive: true, force: true });
  await mkdir(definition, { recursive: true });
  await writeFile(
    join(repository, "spacktainers.yaml"),
    JSON.stringify({
      spacktainers: 1,
      caches: [{ url: made.cache, trust: [made.key] }],
      base: { scratch: true },
      registries: [{ url: `${host}/ours` }],
      linkage: { "allow-unresolved": ["*"] },
    }),
  );
  await writeFile(join(definition, "spack.yaml"), made.manifest);
  const spacktainers = (...args) =>
    timed([...program, ...args], { cwd: repository, env: { XDG_CACHE_HOME: home } });
  const define = (which) => writeFile(join(definition, "spack.lock"), made.locks[which]);
  return {
    define,
    push: () => spacktainers("push", "bench", "--quiet"),
    empty: () => rm(home, { recursive: true, force: true }),
    /** The files of the environment, as they are in the image. */
    async tree(which) {
      const tree = join(work, `tree-${which}`);
      await rm(tree, { recursive: true, force: true });
      await define(which);
      await spacktainers("unpack", "bench", "--into", tree, "--quiet");
      return tree;
    },
    async save() {
      await rm(saved, { recursive: true, force: true });
      execFileSync("cp", ["-a", home, saved]);
    },
    async restore() {
      await rm(home, { recursive: true, force: true });
      execFileSync("cp", ["-a", saved, home]);
    },
  };
}

/** Buildah: what it does with packages that somebody has installed already. */
function openBuildah(host, work) {
  const storage = join(work, "containers");
  const exists = programPath("buildah") !== undefined;
  if (!exists) skipped("Buildah", "buildah is not installed");
  const buildah = (...args) =>
    timed(["buildah", "--root", join(storage, "root"), "--runroot", join(storage, "run"), ...args], {
      env: { BUILDAH_ISOLATION: "chroot" },
    });
  const run = async (tree) => {
    const steps = [];
    const step = async (...args) => {
      const figures = await buildah(...args);
      steps.push(figures);
      return figures.stdout.trim();
    };
    const container = await step("from", "scratch");
    await step("copy", "--quiet", container, tree, "/");
    // Without a fixed time the layer would be another one every time.
    await step("commit", "--quiet", "--timestamp", "0", container, "bench");
    await step("push", "--quiet", "--tls-verify=false", "bench", `docker://${host}/buildah/bench:latest`);
    await buildah("rm", container);
    return together(steps);
  };
  return {
    exists,
    run,
    async empty() {
      if (!exists) return;
      await buildah("rm", "--all");
      await buildah("rmi", "--all", "--force");
    },
    steps(name, prepare) {
      if (!exists) return [];
      let tree;
      return [
        {
          name,
          async prepare() {
            tree = await prepare();
          },
          run: () => run(tree),
        },
      ];
    },
  };
}
