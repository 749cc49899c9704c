/** What real Spack makes of a cache that we wrote, its signature check on: where SPACKTAINERS_TEST_SPACK names one (docs/building.md). */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCacheWriter } from "../../src/buildcache/formats/openWriter.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { corpusIndex, corpusPath, hasCorpusCaches } from "../support/corpusCaches.ts";
import { hasGnuPg } from "../support/gnupg.ts";
import { realSpack } from "../support/realSpack.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";

const { checkout, recipes = [], wheels } = realSpack ?? {};
const usable =
  checkout !== undefined && wheels !== undefined && existsSync(wheels) && hasCorpusCaches && hasGnuPg();
const patience = 40 * 60_000;
const writer = resolve(import.meta.dirname, "../support/writePackages.mjs");

const root = mkdtempSync(join(tmpdir(), "spacktainers-judge-"));
let key: TestKey;
beforeAll(async () => {
  key = await makeKey();
  writeFileSync(join(root, "key.pub"), key.armored);
  writeFileSync(join(root, "key.asc"), key.privateKey.armor());
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A user of Spack's with a mirror, whose signatures are asked for. */
function openUser(name: string, mirror: string) {
  const home = join(root, name);
  const python = "/usr/bin/python3";
  mkdirSync(join(home, "scope"), { recursive: true });
  for (const wheel of readdirSync(wheels ?? ""))
    if (wheel.endsWith(".whl"))
      execFileSync(python, ["-m", "zipfile", "-e", join(wheels ?? "", wheel), join(home, "solver")]);
  const write = (file: string, value: unknown): void =>
    writeFileSync(join(home, "scope", file), `${JSON.stringify(value)}\n`);
  write("repos.yaml", { "repos:": { builtin: recipes[0] } });
  write("mirrors.yaml", { "mirrors:": { ours: { url: `file://${mirror}`, signed: true, source: false } } });
  write("bootstrap.yaml", { bootstrap: { enable: true, sources: [], trusted: {} } });
  write("config.yaml", {
    config: {
      install_tree: { root: join(home, "tree") },
      misc_cache: join(home, "misc"),
      source_cache: join(home, "sources"),
      build_stage: [join(home, "stage")],
    },
  });
  return {
    tree: join(home, "tree"),
    run(...args: readonly string[]) {
      const env = {
        PATH: "/usr/local/bin:/usr/bin:/bin",
        HOME: home,
        LC_ALL: "C.UTF-8",
        SPACK_ROOT: checkout,
        SPACK_PYTHON: python,
        SPACK_DISABLE_LOCAL_CONFIG: "1",
        SPACK_USER_CACHE_PATH: join(home, "user"),
        SPACK_GNUPGHOME: join(home, "gpg"),
        PYTHONPATH: join(home, "solver"),
      };
      const program = join(checkout ?? "", "bin/spack");
      const { status, stdout, stderr } = spawnSync(python, [program, "-C", join(home, "scope"), ...args], {
        env,
        encoding: "utf8",
      });
      return { status, said: stdout + stderr };
    },
  };
}

describe.skipIf(!usable)(
  "with real Spack (skipped without SPACKTAINERS_TEST_SPACK, the corpus or GnuPG)",
  () => {
    it(
      "a cache that two wrote at once is listed, verified and installed from",
      async () => {
        const cache = join(root, "cache");
        const packages = Object.values(corpusIndex(3)).filter((record) => record.in_buildcache);
        const hashes = packages.map(({ spec }) => spec.hash);
        const source = {
          url: join(corpusPath, "v3"),
          keys: [join(corpusPath, "cache.pub")],
          unsigned: false,
        };
        const target = { url: cache, keys: [join(root, "key.pub")], unsigned: false };
        const statuses = await Promise.all(
          [hashes.slice(0, 6), hashes.slice(4)].map(async (which, at) => {
            const args = [source, target, join(root, "key.asc"), join(root, `writer${at}`), which];
            const child = spawn(process.execPath, [writer, ...args.map((one) => JSON.stringify(one))], {
              stdio: "ignore",
            });
            return (await once(child, "exit"))[0];
          }),
        );
        expect(statuses).toEqual([0, 0]);
        const to = openCacheWriter(
          { url: cache, keys: [], unsigned: true },
          { signer: undefined },
          { emit: ignoreEvents, cacheDir: join(root, "keys") },
        );
        await to.putKey({ fingerprint: key.fingerprint, armored: key.armored });
        await to.close();

        const user = openUser("user", cache);
        expect(user.run("gpg", "init").status).toBe(0);
        const keys = user.run("buildcache", "keys", "--install", "--trust");
        expect(keys.status, keys.said).toBe(0);
        const { said } = user.run("buildcache", "list", "--allarch", "--very-long");
        for (const hash of hashes) expect(said).toContain(hash);
        const zlib = packages.find(({ spec }) => spec.name === "zlib")?.spec.hash ?? "";
        const install = ["install", "--cache-only", "--no-add", `/${zlib}`];
        const installed = user.run(...install);
        expect(installed.status, installed.said).toBe(0);
        const files = readdirSync(user.tree, { recursive: true, encoding: "utf8" });
        expect(files.some((path) => path.endsWith(`${zlib}/lib/libz.so`))).toBe(true);

        // One who does not trust the key installs nothing: Spack did look at signatures.
        const stranger = openUser("stranger", cache);
        const refused = stranger.run(...install);
        expect(refused.status).not.toBe(0);
        expect(refused.said).toMatch(/No binary found when cache-only|verif/i);
      },
      patience,
    );
  },
);
