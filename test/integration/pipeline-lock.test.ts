import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { digestOfBuild, expectRefusal, jsonLines } from "../support/cliChecks.ts";
import { corpusPath, hasCorpusCaches } from "../support/corpusCaches.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { realSpack } from "../support/realSpack.ts";
import { buildTar } from "../support/tarBuilder.ts";
import {
  cacheHome,
  definition,
  edit,
  frozen,
  key,
  places,
  repository,
  spackRoot,
} from "./lockedRepositories.ts";

describe("lock", () => {
  it("writes both locks, twice the same, and the build with them is the build without", async () => {
    const { work } = await repository(false);
    const free = digestOfBuild(await work.run(["--json", "build", "hello-mpi"]));
    const first = await work.run(["--json", "lock", "hello-mpi"]);
    expect(jsonLines(first).at(-1)).toMatchObject({
      type: "result",
      name: "hello-mpi",
      version: "1.0.0",
      packages: 3,
      files: [{ changed: true }, { changed: true }],
    });
    const texts = ["spack.lock", "spacktainers.lock"].map((name) =>
      readFileSync(work.path(definition, name), "utf8"),
    );
    const second = jsonLines(await work.run(["--json", "lock", "hello-mpi"])).at(-1);
    expect(second).toMatchObject({ files: [{ changed: false }, { changed: false }] });
    rmSync(work.path(definition, "spack.lock"));
    rmSync(work.path(definition, "spacktainers.lock"));
    await work.run(["-q", "lock"]);
    expect(
      ["spack.lock", "spacktainers.lock"].map((name) => readFileSync(work.path(definition, name), "utf8")),
    ).toEqual(texts);
    expect(readdirSync(work.path(definition)).sort()).toEqual([
      "spack.lock",
      "spack.yaml",
      "spacktainers.lock",
      "test.yaml",
    ]);
    expect(
      digestOfBuild(await work.run(["--json", "build", "hello-mpi", "--frozen", "--output", "oci:other"])),
    ).toBe(free);
  });

  it("refuses prefixes that are too long before it downloads or installs anything, and writes no lock", async () => {
    const { work } = await repository(false);
    edit(
      work.path("spacktainers.yaml"),
      (text) => `${text}\ninstall: { root: /${"long/".repeat(60)}root }\n`,
    );
    const result = await work.run(["--json", "lock", "hello-mpi"]);
    expect(result.status).toBe(1);
    const lines = jsonLines(result);
    expect(lines.at(-1)).toMatchObject({ type: "error", errors: [{ code: "PREFIX_TOO_LONG" }] });
    expect(lines.filter(({ kind }) => kind === "download" || kind === "install")).toEqual([]);
    expect(readdirSync(work.path(definition)).sort()).toEqual(["spack.yaml", "test.yaml"]);
  });

  it("puts the locks of a flat definition beside it, under its name", async () => {
    const { work } = await repository(false);
    cpSync(work.path(definition, "spack.yaml"), work.path("container_definitions/amd64/flat.yaml"));
    await work.run(["-q", "lock", "flat"]);
    const names = readdirSync(work.path("container_definitions/amd64")).sort();
    expect(names).toEqual(["flat.lock", "flat.spacktainers.lock", "flat.yaml", "hello-mpi"]);
    expect((await work.run(["-q", "build", "flat", "--frozen"])).status).toBe(0);
  });

  it("checks without writing, and says what is out of date", async () => {
    const { work } = await repository(false);
    const missing = await work.run(["-q", "lock", "--check"]);
    expect(missing.status).toBe(3);
    expect(missing.stderr).toMatch(/spack\.lock {2}error {2}LOCK_STALE/);
    expect(readdirSync(work.path(definition))).toEqual(["spack.yaml", "test.yaml"]);
    await work.run(["-q", "lock"]);
    expect(await work.run(["-q", "lock", "--check"])).toMatchObject({ status: 0, stdout: "up to date\n" });
    edit(work.path(definition, "spack.yaml"), (text) => `${text}\n# only a comment\n`);
    expect((await work.run(["-q", "lock", "--check"])).status).toBe(0);
    edit(work.path(definition, "spack.yaml"), (text) => text.replace("- mpich ", "- mpich@4 "));
    const stale = await work.run(["-q", "lock", "--check"]);
    expect(stale.status).toBe(3);
    expect(stale.stderr).toContain("the lock does not have `mpich@4`");
  });

  it("keeps with --keep what is locked and still asked for", async () => {
    const { work } = await repository(true);
    const roots = () =>
      JSON.parse(readFileSync(work.path(definition, "spack.lock"), "utf8")).roots as {
        hash: string;
        spec: string;
      }[];
    const [ring] = roots();
    edit(work.path(definition, "spack.yaml"), (text) => text.replace(/^ {2}- mpich .*\n/m, ""));
    expect((await work.run(["-q", "lock", "--keep"])).status).toBe(0);
    expect(roots()).toEqual([ring]);
    // A locked hash that no cache has: without --keep another one would be taken.
    edit(work.path(definition, "spack.lock"), (text) => text.replaceAll(ring?.hash ?? "", "a".repeat(32)));
    expectRefusal(await work.run(["-q", "lock", "--keep"]), {
      code: "NO_SOLUTION",
      status: 3,
      hint: "without --keep, spacktainers chooses all packages again",
    });
    expect((await work.run(["-q", "lock"])).status).toBe(0);
    expect(roots()).toEqual([ring]);
  });
});

describe("recipe facts", () => {
  const facts = (packages: object): string =>
    JSON.stringify({
      _meta: { "file-type": "spacktainers-recipe-facts", version: 1, spack: "1.1.0" },
      packages,
    });

  it("are read when packages are chosen, and refused with their place when they are not there or malformed", async () => {
    const { work } = await repository(false);
    edit(work.path("spacktainers.yaml"), (text) => `${text}spack: {facts: facts.json}\n`);
    expectRefusal(await work.run(["-q", "lock"]), {
      code: "CONFIG_INVALID",
      status: 3,
      says: /spacktainers\.yaml:\d+:16 .*facts\.json do not exist/,
      hint: "export-recipe-facts.py",
    });
    writeFileSync(work.path("facts.json"), facts({ ring: { mpi: "yes" } }));
    expectRefusal(await work.run(["-q", "lock"]), {
      code: "CONFIG_INVALID",
      status: 3,
      says: "packages.ring.mpi",
    });
    writeFileSync(work.path("facts.json"), facts({ mpich: { romio: [{ default: true }] } }));
    expect((await work.run(["-q", "lock"])).status).toBe(0);
    // With a lock nothing is chosen.
    rmSync(work.path("facts.json"));
    expect((await work.run(frozen)).status).toBe(0);
  });
});

describe("build --frozen", () => {
  it("refuses without locks", async () => {
    const { work } = await repository(false);
    const result = await work.run(frozen);
    expect(result.status).toBe(3);
    expect(result.stderr).toContain("there is no spack.lock next to the definition");
    expect(result.stderr).toContain("there is no spacktainers.lock next to the definition");
    expect(existsSync(work.path("dist"))).toBe(false);
  });

  it("refuses specs and constraints that are not those locked; a plain build warns", async () => {
    const { work } = await repository(true);
    edit(work.path(definition, "spack.yaml"), (text) => text.replace("- ring ", "- ring@1 "));
    const specs = await work.run(frozen);
    expect(specs.status).toBe(3);
    expect(specs.stderr).toMatch(/spack\.yaml:7:5 {2}error {2}LOCK_STALE {2}the lock does not have `ring@1`/);
    expect(specs.stderr).toContain("the lock has `ring`, the manifest does not");
    const warned = await work.run(["-q", "build", "hello-mpi"]);
    expect(warned.status).toBe(0);
    expect(warned.stderr).toContain("warning  the lock does not have `ring@1`");
    edit(work.path(definition, "spack.yaml"), (text) =>
      text.replace("- ring@1 ", "- ring ").replace("all:", "zlib: { require: '@1.3' }\n    all:"),
    );
    expectRefusal(await work.run(frozen), {
      code: "LOCK_STALE",
      status: 3,
      says: "`packages:` or `concretizer:`",
      hint: "spacktainers lock",
    });
  });

  it("refuses a spack.lock that is not the one it was locked with", async () => {
    const { work } = await repository(true);
    edit(work.path(definition, "spack.lock"), (text) => `${text}\n`);
    expectRefusal(await work.run(frozen), {
      code: "LOCK_STALE",
      status: 3,
      says: "a different spack.lock than",
    });
    const plain = await work.run(["-q", "build", "hello-mpi"]);
    expect(plain.status).toBe(0);
    expect(plain.stderr).toContain("belongs to a different spack.lock than");
  });

  it("refuses an archive that is not the one that was locked", async () => {
    const { work, cache } = await repository(true);
    await cache.replaceArchive("ring", key, (tar) => {
      const changed = Buffer.from(tar);
      const at = changed.indexOf("token");
      expect(at).toBeGreaterThan(0);
      changed.write("TOKEN", at);
      return changed;
    });
    expectRefusal(await work.run(frozen), {
      code: "CHECKSUM_MISMATCH",
      status: 5,
      says: /archive of ring@1\.0\.0\/yv5ulaa is not the one that was locked/,
      hint: "pushed it again",
    });
    expectRefusal(await work.run(["-q", "lock", "--check"]), { code: "CHECKSUM_MISMATCH", status: 5 });
    const plain = await work.run(["-q", "build", "hello-mpi"]);
    expect(plain.status).toBe(0);
    expect(plain.stderr).toContain("is not the one that was locked");
    await work.run(["-q", "lock"]);
    expect((await work.run(frozen)).status).toBe(0);
  });

  it("refuses locks that are malformed or made by other transformations", async () => {
    const { work } = await repository(true);
    const path = work.path(definition, "spacktainers.lock");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.slice(0, -20));
    expectRefusal(await work.run(frozen), { code: "LOCK_INVALID", status: 3, says: /spacktainers\.lock/ });
    writeFileSync(path, text.replace(/"install":\d+/, '"install":1'));
    expectRefusal(await work.run(frozen), { code: "LOCK_STALE", status: 3, says: "makes other bytes" });
    writeFileSync(path, text.replace('"amd64"', '"arm64"'));
    expectRefusal(await work.run(frozen), { code: "LOCK_STALE", status: 3, says: "for arm64" });
  });

  it("refuses another root file system underneath", async () => {
    const work = makeWorkplace(undefined, cacheHome);
    places.push(work);
    makeDemoRepository(work, "cache", key);
    edit(work.path("spacktainers.yaml"), (text) => text.replace(/^base: .*$/m, "base: {rootfs: base.tar}"));
    const base = (text: string) =>
      writeFileSync(
        work.path("base.tar"),
        buildTar([
          { name: "etc/", type: "5" },
          { name: "etc/motd", body: text },
        ]),
      );
    base("one");
    await work.run(["-q", "lock"]);
    expect((await work.run(frozen)).status).toBe(0);
    base("other");
    expectRefusal(await work.run(frozen), { code: "LOCK_STALE", status: 3, says: "the base is not the one" });
    edit(work.path("spacktainers.yaml"), (text) => text.replace(/^base: .*$/m, "base: {scratch: true}"));
    expectRefusal(await work.run(frozen), {
      code: "LOCK_STALE",
      status: 3,
      says: "configuration of the base",
    });
  });
});

/** Recipes for Spack 1.x of the packages that the corpus itself made: as much as installing from a cache needs. */
function recipesOfNothing(work: Workplace): string {
  const repository = work.path("recipes/spack_repo/spacktainers");
  for (const [folder, name] of [
    ["ring", "Ring"],
    ["ring_codegen", "RingCodegen"],
    ["py_ring", "PyRing"],
  ] as const) {
    mkdirSync(join(repository, "packages", folder), { recursive: true });
    writeFileSync(
      join(repository, "packages", folder, "package.py"),
      `from spack.package import *\n\n\nclass ${name}(PackageBase):\n    has_code = False\n`,
    );
  }
  writeFileSync(join(repository, "repo.yaml"), "repo:\n  namespace: spacktainers\n  api: v2.0\n");
  return repository;
}

describe.skipIf(!hasCorpusCaches)("locks of real caches (skipped without ../shared/corpus)", () => {
  const recorded = [
    { folder: "installed", layout: "v2", generation: "0." },
    { folder: "installed-v3", layout: "v3", generation: "1." },
  ] as const;

  async function lockRecorded(folder: string, layout: string): Promise<Workplace> {
    const work = makeWorkplace(
      `caches:\n- {url: ${corpusPath}/${layout}, trust: [${corpusPath}/cache.pub]}\nbase: {scratch: true}\n`,
    );
    places.push(work);
    mkdirSync(work.path("container_definitions/amd64/recorded"), { recursive: true });
    const manifest = readFileSync(join(corpusPath, folder, "spack.yaml"), "utf8");
    writeFileSync(work.path("container_definitions/amd64/recorded/spack.yaml"), manifest);
    const result = await work.run(["-q", "lock"]);
    expect(result.status, result.stderr).toBe(0);
    return work;
  }

  it.each(recorded)("are what Spack itself locked ($folder)", async ({ folder, layout }) => {
    const work = await lockRecorded(folder, layout);
    const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
    const ours = read(work.path("container_definitions/amd64/recorded/spack.lock"));
    const theirs = read(join(corpusPath, folder, "spack.lock"));
    expect(ours._meta).toEqual(theirs._meta);
    const rootsOf = (lock: { roots: { hash: string; spec: string }[] }) =>
      lock.roots.map(({ hash, spec }) => `${hash} ${spec}`).sort();
    expect(rootsOf(ours)).toEqual(rootsOf(theirs));
    expect(Object.keys(ours.concrete_specs).sort()).toEqual(Object.keys(theirs.concrete_specs).sort());
    for (const [hash, node] of Object.entries<Record<string, unknown>>(ours.concrete_specs)) {
      const same = theirs.concrete_specs[hash];
      // Spack keeps patches in the order of application, and what it knows of external compilers.
      const { patches, external, ...rest } = node;
      const { patches: theirPatches, external: _, ...theirRest } = same;
      expect(rest).toEqual(theirRest);
      expect([...((patches as string[] | undefined) ?? [])].sort()).toEqual([...(theirPatches ?? [])].sort());
      expect(external === undefined).toBe(same.external === undefined);
    }
  });

  it.skipIf(spackRoot === undefined)(
    "are installed by real Spack from the cache, nothing built (skipped without SPACKTAINERS_TEST_SPACK)",
    async () => {
      const spack = join(spackRoot ?? "", "bin/spack");
      const version = execFileSync(spack, ["--version"], { encoding: "utf8" });
      const { folder, layout } =
        recorded.find(({ generation }) => version.startsWith(generation)) ?? recorded[1];
      const work = await lockRecorded(folder, layout);
      const environment = work.path("container_definitions/amd64/recorded");
      edit(join(environment, "spack.yaml"), (text) => text.replace(/^ {2}view:.*$/m, "  view: false"));
      mkdirSync(work.path("config"));
      mkdirSync(work.path("gnupg"), { mode: 0o700 });
      writeFileSync(
        work.path("config/config.yaml"),
        `config: {install_tree: {root: ${work.path("tree")}}, build_stage: [${work.path("stage")}]}\n`,
      );
      writeFileSync(
        work.path("config/mirrors.yaml"),
        `mirrors:: {corpus: {url: "file://${corpusPath}/${layout}", source: false}}\n`,
      );
      // Some packages of the corpus have recipes of their own, for Spack 0.23.
      const ownRecipes = folder === "installed" ? join(corpusPath, "recipes") : recipesOfNothing(work);
      const repositories = [...(realSpack?.recipes ?? []), ownRecipes];
      const named = (path: string) =>
        `${/namespace: *(\S+)/.exec(readFileSync(join(path, "repo.yaml"), "utf8"))?.[1]}: ${path}`;
      writeFileSync(
        work.path("config/repos.yaml"),
        `repos:\n${repositories.map((path) => (folder === "installed" ? `- ${path}` : `  ${named(path)}`)).join("\n")}\n`,
      );
      const run = (...args: readonly string[]) =>
        execFileSync(spack, ["-C", work.path("config"), ...args], {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "pipe"],
          env: {
            ...process.env,
            SPACK_DISABLE_LOCAL_CONFIG: "1",
            SPACK_USER_CACHE_PATH: work.path("spack-cache"),
            SPACK_GNUPGHOME: work.path("gnupg"),
          },
        });
      run("gpg", "trust", join(corpusPath, "cache.pub"));
      run("-e", environment, "install", "--cache-only");
      const database = JSON.parse(readFileSync(work.path("tree/.spack-db/index.json"), "utf8")).database
        .installs;
      const installed = Object.entries<{ installed: boolean; spec: { external?: unknown } }>(database)
        .filter(([, { installed, spec }]) => installed && !spec.external)
        .map(([hash]) => hash);
      const own = JSON.parse(readFileSync(join(environment, "spacktainers.lock"), "utf8"));
      expect(installed.sort()).toEqual(own.packages.map(({ hash }: { hash: string }) => hash).sort());
    },
  );
});
