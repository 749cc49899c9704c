/** What real Spack makes of a cache that we wrote, its signature check on: where SPACKTAINERS_TEST_SPACK names one (docs/building.md). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCacheWriter } from "../../src/buildcache/formats/openWriter.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { corpusIndex, corpusPath, hasCorpusCaches } from "../support/corpusCaches.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";
import { expectSpackReads, spackUserTrouble } from "../support/spackUser.ts";

const usable = spackUserTrouble === undefined && hasCorpusCaches;
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

        const zlib = packages.find(({ spec }) => spec.name === "zlib")?.spec.hash ?? "";
        const mirror = { url: `file://${cache}`, signed: true };
        expectSpackReads(join(root, "judge"), { mirror, hashes, zlib });
      },
      patience,
    );
  },
);
