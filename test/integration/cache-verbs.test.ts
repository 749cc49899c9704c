/** The subcommands of `cache` on real caches: folders, S3, a registry; and what is left after pruning, installed by real Spack. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeLock } from "../../src/environment/writeLock.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { once } from "../../src/util/once.ts";
import { makeSpec } from "../concretize/specs.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { corpusPath, hasCorpusCaches } from "../support/corpusCaches.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { realSpack } from "../support/realSpack.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";
import { specCache } from "../support/specCache.ts";
import { writeCache } from "../support/testCache.ts";

const corpusKey = join(corpusPath, "cache.pub");
const [old, modern] = [join(corpusPath, "v2"), join(corpusPath, "v3")];
const demo = join(import.meta.dirname, "../../demo");
const spack = join(realSpack?.checkout ?? "", "bin/spack");
let key: TestKey;
let place: Workplace;

beforeAll(async () => {
  key = await makeKey();
  place = makeWorkplace("{}\n");
  writeFileSync(place.path("key.pub"), key.armored);
  writeFileSync(place.path("key.asc"), key.privateKey.armor());
});
afterAll(() => place.remove());

type Line = Readonly<Record<string, unknown>>;

/** Runs `cache`, and gives its last JSON line; fails when it fails. */
async function cache(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Line> {
  const result = await place.run(["--json", "cache", ...args], { env });
  expect(result.stderr).toBe("");
  const last = jsonLines(result).at(-1) as Line;
  expect(result.status, JSON.stringify(last)).toBe(0);
  return last;
}

const outcomes = (report: Line): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { outcome } of report.packages as { outcome: string }[])
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
};

describe.skipIf(!hasCorpusCaches)("real caches (skipped without ../shared/corpus)", () => {
  it("are listed, shown and verified, all packages of both", async () => {
    const both = ["--cache", old, "--cache", modern];
    expect(await cache(["list", ...both])).toMatchObject({ packages: 37, of: 37 });
    const shown = await cache([
      "show",
      "mpich device=ch3 %gcc@12.2.0",
      "--cache",
      modern,
      "--trust",
      corpusKey,
    ]);
    expect(shown).toMatchObject({
      name: "mpich",
      copies: [{ format: "v3", signedBy: "6921B4D6557E71B0128BCE3E243031F51E12C5A4", size: 10201722 }],
    });
    expect(await cache(["verify", ...both, "--trust", corpusKey])).toMatchObject({
      findings: 0,
      caches: [{ packages: 28 }, { packages: 9 }],
    });
    // Options that all have may stand behind any word.
    const between = await place.run(["cache", "--json", "list", "ring", "--cache", modern]);
    expect(jsonLines(between).at(-1)).toMatchObject({ type: "result", packages: 1 });
    const refused = await place.run(["cache", "verify", "ring", "--cache", modern]);
    expect(refused.status).toBe(5);
    expect(refused.stderr).toMatch(/KEY_UNKNOWN {2}ring@2.1.0/);
    const keys = await cache(["keys", ...both, "--trust", corpusKey]);
    expect((keys.keys as Line[]).map(({ published, trusted, state }) => [published, trusted, state])).toEqual(
      [
        [true, true, "good"],
        [true, true, "good"],
      ],
    );
  });

  it.skipIf(!hasS3Server())("are copied to S3 and back, whole (skipped without moto)", async () => {
    const server: S3Server = await startS3Server("packages");
    try {
      const env = {
        AWS_ENDPOINT_URL_S3: server.url,
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
        AWS_REGION: "us-east-1",
      };
      const bucket = "s3://packages/a";
      const sign = ["--sign", "key.asc"];
      const trust = ["--trust", "key.pub", "--trust", corpusKey];
      expect(outcomes(await cache(["copy", modern, bucket, "ring", ...sign, ...trust], env))).toEqual({
        copied: 7,
      });
      expect(outcomes(await cache(["copy", modern, bucket, ...sign, ...trust], env))).toEqual({
        copied: 2,
        present: 7,
      });
      expect(await cache(["verify", "--cache", bucket, "--trust", "key.pub"], env)).toMatchObject({
        findings: 0,
      });
      expect(await cache(["list", "--cache", bucket], env)).toMatchObject({ packages: 9 });
      expect(outcomes(await cache(["copy", bucket, "back", ...sign, ...trust], env))).toEqual({ copied: 9 });
      const [there, back] = [join(modern, "blobs"), place.path("back/blobs")].map((folder) =>
        readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
          /[0-9a-f]{64}$/.test(name),
        ),
      );
      // The same archives to the last byte.
      expect(back?.filter((name) => there?.includes(name)).length).toBeGreaterThanOrEqual(9);
      const pruned = await cache(
        ["prune", "--cache", bucket, "--keep-spec", "hwloc", "--grace", "0", "--no-images", "--delete"],
        env,
      );
      expect(pruned.caches).toMatchObject([{ removed: 6, spared: 0 }]);
      expect(await cache(["verify", "--cache", bucket, "--trust", "key.pub"], env)).toMatchObject({
        findings: 0,
        caches: [{ packages: 3 }],
      });
    } finally {
      await server.close();
    }
  });

  it.skipIf(dockerRegistryTrouble() !== undefined)(
    "are copied into a registry and read from it (skipped without docker-registry)",
    async () => {
      const registry: RealRegistry = await startDockerRegistry();
      try {
        const url = `oci+http://${registry.host}/group/cache`;
        const report = await cache(["copy", modern, url, "ring", "--unsigned", "--trust", corpusKey]);
        expect(outcomes(report)).toEqual({ copied: 7 });
        writeFileSync(place.path("spacktainers.yaml"), `caches: [{ url: "${url}", unsigned: true }]\n`);
        expect(await cache(["list"])).toMatchObject({ packages: 7 });
        expect(await cache(["verify"])).toMatchObject({ findings: 0, caches: [{ packages: 7 }] });
        expect(await cache(["show", "ring"])).toMatchObject({
          copies: [{ format: "oci", prefix: expect.stringMatching(/ring-2.1.0/) }],
        });
        const back = ["copy", url, "from-registry", "--from-unsigned", "--sign", "key.asc"];
        expect(outcomes(await cache(back))).toEqual({ copied: 7 });
        expect(await cache(["verify", "--cache", "from-registry", "--trust", "key.pub"])).toMatchObject({
          findings: 0,
        });
        // Tags have no age: nothing of what is there may be young, unless that is said not to matter.
        const kept = await place.run(["--json", "cache", "prune", "--cache", url, "--keep-spec", "zlib"]);
        const plan = jsonLines(kept).find(({ type }) => type === "plan") as {
          caches: { remove: unknown[] }[];
        };
        expect(plan.caches[0]?.remove).toEqual([]);
        const pruned = await cache([
          "prune",
          "--cache",
          url,
          "--keep-spec",
          "zlib",
          "--grace",
          "0",
          "--delete",
        ]);
        expect(pruned.caches).toMatchObject([{ removed: 5 }]);
        expect(await cache(["list"])).toMatchObject({ packages: 2 });
        expect(await cache(["verify"])).toMatchObject({ findings: 0 });
      } finally {
        await registry.close();
        writeFileSync(place.path("spacktainers.yaml"), "{}\n");
      }
    },
  );
});

describe.skipIf(!hasCorpusCaches)("pruning (skipped without ../shared/corpus)", () => {
  /** Layers of made-up packages, each of which links some of the layer below. */
  function manyPackages(count: number, name: string): readonly ConcreteSpec[] {
    const specs: ConcreteSpec[] = [];
    for (let at = 0; at < count; at++) {
      const link = at < 100 ? [] : [7, 31].flatMap((step) => specs[(at * step) % (at - 50)] ?? []);
      specs.push(makeSpec(`${name}${at}@1.${at}`, { modern: true, link: [...new Set(link)] }));
    }
    return specs;
  }

  /** The whole story, once: what is left, and the definition whose packages must be among it. */
  const pruned = once(async (): Promise<string> => {
    const sign = ["--sign", "key.asc"];
    for (const [from, keyFile, more] of [
      [modern, corpusKey, []],
      [old, corpusKey, ["--layout", "v3"]],
      [join(demo, "cache"), join(demo, "cache.pub"), []],
    ] as const)
      await cache(["copy", from, "group", "--trust", keyFile, "--trust", "key.pub", ...sign, ...more]);
    const many = manyPackages(1000, "made");
    await writeCache(
      place.path("group"),
      await specCache(many, { sign: (text) => key.sign(text), index: false }),
    );
    const real = Number((await cache(["list", "--cache", "group"])).packages);
    expect(real).toBeGreaterThanOrEqual(40);
    expect(await cache(["index", "--cache", "group"])).toMatchObject({
      caches: [{ indexes: [{ format: "v3", packages: 1000 + real }] }],
    });
    const then = new Date(Date.now() - 48 * 3_600_000);
    for (const entry of readdirSync(place.path("group"), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), then, then);

    // A definition whose lock real Spack has made, another repository, and packages that are pushed during it.
    const definition = place.path("container_definitions/amd64/recorded");
    mkdirSync(definition, { recursive: true });
    for (const name of ["spack.yaml", "spack.lock"])
      copyFileSync(join(corpusPath, "installed-v3", name), join(definition, name));
    const other = place.path("other/container_definitions/amd64/made");
    mkdirSync(other, { recursive: true });
    const roots = many.filter((_, at) => at % 97 === 96);
    writeFileSync(
      join(other, "spack.yaml"),
      `spack: { specs: [${roots.map(({ name }) => name).join(", ")}] }\n`,
    );
    const graph = new Map(many.map((spec) => [spec.hash, spec]));
    writeFileSync(
      join(other, "spack.lock"),
      writeLock({ roots: roots.map(({ name, hash }) => ({ request: name, hash })), graph }),
    );
    // It depends on old packages that nothing names.
    const fresh = makeSpec("fresh@1.0", {
      modern: true,
      link: [many[5], many[998]].flatMap((one) => one ?? []),
    });
    const pushed = [fresh, ...manyPackages(30, "new"), ...many];
    await writeCache(place.path("staging"), await specCache(pushed, { sign: (text) => key.sign(text) }));

    const needed = new Set(roots.map(({ hash }) => hash));
    for (const hash of needed) for (const edge of graph.get(hash)?.dependencies ?? []) needed.add(edge.hash);
    const prune = ["prune", "--cache", "group", "--keep", "other", "--no-images"];
    const before = await place.run(["--json", "cache", ...prune]);
    const plan = jsonLines(before).find(({ type }) => type === "plan") as unknown as {
      caches: {
        keep: { hash: string; name: string }[];
        remove: { hash: string; name: string; size: number }[];
      }[];
    };
    const [first] = plan.caches;
    const goes = new Set(first?.remove.map(({ hash }) => hash));
    expect([...needed].some((hash) => goes.has(hash))).toBe(false);
    expect(first?.keep.filter(({ name }) => name.startsWith("made"))).toHaveLength(needed.size);
    expect(first?.remove.every(({ size }) => size > 0)).toBe(true);
    const lock = JSON.parse(readFileSync(join(definition, "spack.lock"), "utf8"));
    const locked = Object.keys(lock.concrete_specs);
    expect(locked.some((hash) => goes.has(hash))).toBe(false);

    const [push, removal] = await Promise.all([
      cache(["copy", "staging", "group", "fresh", ...manyNames(30), "--trust", "key.pub", ...sign]),
      cache([...prune, "--delete"]),
    ]);
    expect((push.packages as unknown[]).length).toBeGreaterThan(30);
    const removed = (removal.caches as { removed: number }[])[0]?.removed ?? 0;
    expect(removed).toBeGreaterThan(500);
    // Whatever the two did to one another: everything that is there is whole, and what was pushed is there.
    expect(await cache(["verify", "--cache", "group", "--trust", "key.pub"])).toMatchObject({
      findings: 0,
    });
    const left = await place.run(["--json", "cache", "list", "--cache", "group"]);
    const names = new Set(
      jsonLines(left).flatMap(({ type, hash }) => (type === "package" ? [String(hash)] : [])),
    );
    for (const { hash } of push.packages as { hash: string }[]) expect(names.has(hash)).toBe(true);
    for (const hash of needed) expect(names.has(hash)).toBe(true);
    return definition;
  });

  it(
    "of 1 000 made-up and 40 real packages keeps what is named and whole, and loses nothing that is pushed meanwhile",
    async () => {
      expect(await pruned()).toBe(place.path("container_definitions/amd64/recorded"));
    },
    30 * 60_000,
  );

  it.skipIf(!existsSync(spack))(
    "leaves a cache that real Spack installs from (skipped without SPACKTAINERS_TEST_SPACK, see docs/building.md)",
    async () => installedBySpack(await pruned()),
    60 * 60_000,
  );

  const manyNames = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, at) => `new${at}`);

  /** Real Spack installs the environment from what is left, and builds nothing. */
  async function installedBySpack(definition: string): Promise<void> {
    mkdirSync(place.path("config"));
    mkdirSync(place.path("gnupg"), { mode: 0o700 });
    const manifest = join(definition, "spack.yaml");
    writeFileSync(manifest, readFileSync(manifest, "utf8").replace(/^ {2}view:.*$/m, "  view: false"));
    writeFileSync(
      place.path("config/config.yaml"),
      `config: {install_tree: {root: ${place.path("tree")}}, build_stage: [${place.path("stage")}]}\n`,
    );
    writeFileSync(
      place.path("config/mirrors.yaml"),
      `mirrors:: {group: {url: "file://${place.path("group")}", source: false}}\n`,
    );
    // Spack asks for a recipe of whatever it installs, even from a cache.
    const own = place.path("recipes");
    const { concrete_specs } = JSON.parse(readFileSync(join(definition, "spack.lock"), "utf8")) as {
      readonly concrete_specs: Readonly<
        Record<string, { readonly name: string; readonly namespace: string }>
      >;
    };
    for (const { name, namespace } of Object.values(concrete_specs)) {
      if (namespace !== "spacktainers") continue;
      mkdirSync(join(own, "packages", name), { recursive: true });
      const className = name.replaceAll(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase());
      writeFileSync(
        join(own, "packages", name, "package.py"),
        `from spack.package import *\n\nclass ${className}(Package):\n    has_code = False\n`,
      );
    }
    writeFileSync(join(own, "repo.yaml"), "repo:\n  namespace: spacktainers\n");
    const recipes = [own, ...(realSpack?.recipes ?? [])];
    const named = recipes.map((path) => {
      const name = /namespace: *(\S+)/.exec(readFileSync(join(path, "repo.yaml"), "utf8"))?.[1];
      return `  ${name}: ${path}`;
    });
    writeFileSync(place.path("config/repos.yaml"), `repos:\n${named.join("\n")}\n`);
    const run = (...args: readonly string[]): string =>
      execFileSync(spack, ["-C", place.path("config"), ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...process.env,
          SPACK_DISABLE_LOCAL_CONFIG: "1",
          SPACK_USER_CACHE_PATH: place.path("spack-cache"),
          SPACK_GNUPGHOME: place.path("gnupg"),
        },
      });
    run("gpg", "trust", place.path("key.pub"));
    run("-e", definition, "install", "--cache-only");
    const database = JSON.parse(readFileSync(place.path("tree/.spack-db/index.json"), "utf8")).database
      .installs;
    const installed = Object.values<{ installed: boolean; spec: { name: string; external?: unknown } }>(
      database,
    )
      .filter(({ installed: isThere, spec: { external } }) => isThere && !external)
      .map(({ spec: { name } }) => name);
    expect(installed).toContain("ring");
    expect(installed).toContain("mpich");

    // What Spack has installed is packed by Spack and pushed by us.
    writeFileSync(
      place.path("spacktainers.yaml"),
      `spack: { url: ${realSpack?.checkout}, repos: [${recipes.join(", ")}], wheels: ${realSpack?.wheels} }\n`,
    );
    const report = await cache(["push", "--store", "tree", "ring", "--to", "pushed", "--sign", "key.asc"]);
    expect(outcomes(report)).toEqual({ copied: 7 });
    expect(await cache(["verify", "--cache", "pushed", "--trust", "key.pub"])).toMatchObject({ findings: 0 });
    const again = await cache(["push", "--store", "tree", "--to", "pushed", "--sign", "key.asc"]);
    expect(outcomes(again)).toEqual({ copied: installed.length - 7, present: 7 });
  }
});
