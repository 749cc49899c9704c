/** What is built goes to caches, signed, package by package: into a bucket, a folder and a registry that are all empty at first. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBuildCache } from "../../src/buildcache/buildCache.ts";
import type { CacheSource } from "../../src/buildcache/types.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import type { Workplace } from "../support/cli.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";
import { canStandIn } from "../support/spackStandIn/spackStandIn.ts";
import { makeTrial } from "../support/spackStandIn/standInTrial.ts";

const usable = canStandIn && hasS3Server() && dockerRegistryTrouble() === undefined;
const expected = ["app", "cmake", "compiler", "hdf5", "tool", "zlib"];

const root = mkdtempSync(join(tmpdir(), "spacktainers-publish-"));
const places: Workplace[] = [];
let key: TestKey;
let server: S3Server | undefined;
let registry: RealRegistry | undefined;
beforeAll(async () => {
  key = await makeKey();
  if (!usable) return;
  server = await startS3Server("bucket");
  registry = await startDockerRegistry();
});
afterAll(async () => {
  for (const place of places) place.remove();
  await server?.close();
  await registry?.close();
  rmSync(root, { recursive: true, force: true });
});

/** Names of what a cache lists, and who signed each. */
async function contents(source: CacheSource): Promise<Record<string, string | undefined>> {
  const cache = openBuildCache(source, { emit: ignoreEvents, cacheDir: mkdtempSync(join(root, "cache-")) });
  const found: Record<string, string | undefined> = {};
  for (const index of await cache.indexes())
    for (const name of index.names())
      for (const hash of index.hashesOf(name)) {
        const spec = index.has(hash) ? index.spec(hash) : undefined;
        const pkg = spec === undefined ? undefined : await cache.findPackage(spec);
        if (pkg === undefined) continue;
        found[name] = pkg.signedBy ?? "nobody";
        expect((await cache.fetchArchive(pkg)).digest).toBe(pkg.digest);
      }
  await cache.close();
  return found;
}

describe.skipIf(!usable)(
  "build and its caches (needs python3, git, an S3 server and docker-registry)",
  () => {
    it("pushes what was built everywhere, and goes on where a push failed", async () => {
      const kept = { ...process.env };
      process.env.AWS_ACCESS_KEY_ID = "test";
      process.env.AWS_SECRET_ACCESS_KEY = "test";
      try {
        const bucket = { url: "s3://bucket/cache", s3: { endpoint: server?.url ?? "", region: "us-east-1" } };
        const images = `oci+http://${registry?.host}/caches/built`;
        const { work } = await makeTrial(
          ["app"],
          `caches:
  - { url: "${bucket.url}", endpoint: "${bucket.s3.endpoint}", region: us-east-1, trust: key.pub, push: true, sign: "env://CACHE_KEY" }
  - { url: folder, trust: key.pub, push: true, sign: key.asc }
  - { url: "${images}", unsigned: true, push: true }
`,
        );
        places.push(work);
        writeFileSync(work.path("key.pub"), key.armored);
        writeFileSync(work.path("key.asc"), key.privateKey.armor());
        const secret = key.privateKey.armor();
        // The folder's key is missing at first: that cache fails, and the others get everything.
        rmSync(work.path("key.asc"));
        const failed = await work.run(["--json", "build", "sim"], { env: { CACHE_KEY: secret } });
        expect(failed.status).not.toBe(0);
        expect(failed.stdout + failed.stderr).toContain(`it was not pushed to ${work.path("folder")}`);
        writeFileSync(work.path("key.asc"), secret);
        const done = await work.run(["--json", "build", "sim"], { env: { CACHE_KEY: secret } });
        expect(done.status, done.stderr + done.stdout).toBe(0);

        const signed = Object.fromEntries(expected.map((name) => [name, key.fingerprint]));
        const trusting = { keys: [key.file], unsigned: false };
        expect(await contents({ ...bucket, ...trusting })).toEqual(signed);
        expect(await contents({ url: work.path("folder"), ...trusting })).toEqual(signed);
        expect(await contents({ url: images, keys: [], unsigned: true })).toEqual(
          Object.fromEntries(expected.map((name) => [name, "nobody"])),
        );

        // The key is in nothing that was written or said.
        const body = secret.split("\n").find((line) => /^[A-Za-z0-9+/]{60,}$/.test(line)) ?? "no key";
        expect(failed.stdout + failed.stderr + done.stdout + done.stderr).not.toContain(body);
        rmSync(work.path("key.asc"));
        for (const entry of readdirSync(work.path("."), { recursive: true, withFileTypes: true }))
          if (entry.isFile())
            expect(
              readFileSync(join(entry.parentPath, entry.name)).includes(body),
              join(entry.parentPath, entry.name),
            ).toBe(false);
      } finally {
        process.env = kept;
      }
    });
  },
);
