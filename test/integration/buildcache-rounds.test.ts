/**
 * Several processes that write into one cache at once, again and again: nothing is lost, nobody ever reads half of something. Where
 * SPACKTAINERS_TEST_SPACK names a real Spack (docs/building.md), it reads what came of each round, too, its signature check on.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBuildCache } from "../../src/buildcache/buildCache.ts";
import { openCacheWriter } from "../../src/buildcache/formats/openWriter.ts";
import type { CacheSource } from "../../src/buildcache/types.ts";
import type { DagHash } from "../../src/spec/concrete.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { commandExists } from "../support/commandExists.ts";
import { corpusIndex, corpusPath, corpusSource, hasCorpusCaches } from "../support/corpusCaches.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";
import { expectSpackReads, pythonWithBoto, spackUserTrouble } from "../support/spackUser.ts";

const rounds = 10;
const root = mkdtempSync(join(tmpdir(), "spacktainers-rounds-"));
const writer = resolve(import.meta.dirname, "../support/writePackages.mjs");
let key: TestKey;
let hashes: readonly DagHash[] = [];
let made = 0;

beforeAll(async () => {
  key = await makeKey();
  writeFileSync(join(root, "key.pub"), key.armored);
  writeFileSync(join(root, "key.asc"), key.privateKey.armor());
  if (!hasCorpusCaches) return;
  const corpus = openBuildCache(corpusSource(3), { emit: ignoreEvents, cacheDir: join(root, "corpus") });
  hashes = await listedBy(corpus);
  await corpus.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Place = Pick<CacheSource, "url" | "s3"> & { readonly unsigned: boolean };

async function listedBy(cache: ReturnType<typeof openBuildCache>): Promise<readonly DagHash[]> {
  const [index] = await cache.indexes();
  return (index?.names() ?? []).flatMap(
    (name) => index?.hashesOf(name).filter((hash) => index.has(hash)) ?? [],
  );
}

function openPlace({ unsigned, ...where }: Place) {
  return openBuildCache(
    { ...where, unsigned, keys: unsigned ? [] : [key.file], mayBeEmpty: true },
    { emit: ignoreEvents, cacheDir: join(root, `reader${made++}`) },
  );
}

/** What a cache lists, as somebody sees it who never looked before. */
async function listed(place: Place): Promise<readonly DagHash[]> {
  const cache = openPlace(place);
  try {
    return await listedBy(cache);
  } finally {
    await cache.close();
  }
}

/** A process that writes packages. */
function write(place: Place, which: readonly DagHash[]): ChildProcess {
  const { unsigned, ...where } = place;
  const args = [
    { url: join(corpusPath, "v3"), keys: [join(corpusPath, "cache.pub")], unsigned: false },
    { ...where, unsigned, keys: unsigned ? [] : [join(root, "key.pub")] },
    unsigned ? "" : join(root, "key.asc"),
    join(root, `writer${made++}`),
    which,
  ].map((argument) => JSON.stringify(argument));
  return spawn(process.execPath, [writer, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

async function ended(child: ChildProcess): Promise<void> {
  let said = "";
  child.stderr?.on("data", (text) => {
    said += text;
  });
  child.stdout?.resume();
  const [status] = await once(child, "exit");
  expect(status, said).toBe(0);
}

/**
 * Rounds in fresh places; two write at once, and have a package in common.
 *
 * @param judged looks at what came of each round
 */
async function writeInRounds(
  open: (round: number) => Place,
  judged: (place: Place) => Promise<void>,
): Promise<void> {
  const half = Math.ceil(hashes.length / 2);
  for (let round = 0; round < rounds; round++) {
    const place = open(round);
    let running = true;
    let most = 0;
    const both = Promise.all([
      ended(write(place, hashes.slice(0, half + 1))),
      ended(write(place, hashes.slice(half).toReversed())),
    ]).finally(() => {
      running = false;
    });
    // Whoever looks meanwhile sees an index that is whole, and never fewer packages than before.
    const looking = (async () => {
      while (running) {
        const now = (await listed(place)).length;
        expect(now).toBeGreaterThanOrEqual(most);
        most = now;
        // Those who write are not to be starved by those who look.
        await wait(20);
      }
    })();
    await Promise.all([both, looking]);
    expect([...(await listed(place))].sort(), `round ${round}`).toEqual([...hashes].sort());
    if (round === rounds - 1) await expectWhole(place);
    await judged(place);
  }
}

/** Every package that a cache lists can be fetched, with the signature that it should have. */
async function expectWhole(place: Place): Promise<void> {
  const cache = openPlace(place);
  try {
    const [index] = await cache.indexes();
    for (const hash of hashes) {
      const spec = index?.spec(hash);
      const found = spec === undefined ? undefined : await cache.findPackage(spec);
      expect(found?.signedBy).toBe(place.unsigned ? undefined : key.fingerprint);
      if (found !== undefined) expect((await cache.fetchArchive(found)).digest).toBe(found.digest);
    }
  } finally {
    await cache.close();
  }
}

/** Longest that a test may take in which real Spack reads, in milliseconds. */
const patience = spackUserTrouble === undefined ? 60 * 60_000 : 300_000;

/** Real Spack reads a cache, where it is here. */
async function judge(
  place: Place,
  { python, certificate }: { readonly python?: string; readonly certificate?: string | undefined } = {},
): Promise<void> {
  if (spackUserTrouble !== undefined) return;
  if (!place.unsigned) {
    const to = openCacheWriter(
      { ...place, keys: [], unsigned: true },
      { signer: undefined },
      { emit: ignoreEvents, cacheDir: join(root, `keys${made++}`) },
    );
    await to.putKey({ fingerprint: key.fingerprint, armored: key.armored });
    await to.close();
  }
  const index = Object.values(corpusIndex(3));
  const zlib =
    index.find(({ spec, in_buildcache }) => spec.name === "zlib" && in_buildcache)?.spec.hash ?? "";
  const url = place.url.startsWith("/") ? `file://${place.url}` : place.url;
  const mirror = { url, signed: !place.unsigned, endpoint: place.s3?.endpoint, certificate };
  const judged = { mirror, hashes, zlib, ...(python === undefined ? {} : { python }) };
  expectSpackReads(join(root, `judge${made++}`), judged);
}

describe.skipIf(!hasCorpusCaches)("two that write at once (skipped where the corpus is not there)", () => {
  it(
    "lose nothing in a folder",
    async () => {
      await writeInRounds((round) => ({ url: join(root, `folder${round}`), unsigned: false }), judge);
    },
    patience,
  );

  it("get on when one of them is killed at any moment", async () => {
    const place = { url: join(root, "killed"), unsigned: false };
    for (let at = 0; at < 5; at++) {
      const child = write(place, hashes);
      const over = once(child, "exit");
      // It is killed a little later each time: in a package, or while it has the lock of the index.
      for (let seen = 0; seen <= at; seen++) await once(child.stdout ?? child, "data");
      await new Promise((done) => setTimeout(done, at * 7));
      child.kill("SIGKILL");
      await over;
      expect((await listed(place)).length).toBeGreaterThan(0);
    }
    await ended(write(place, hashes));
    expect([...(await listed(place))].sort()).toEqual([...hashes].sort());
    const to = openCacheWriter(
      { ...place, keys: [key.file], unsigned: true },
      { signer: undefined },
      { emit: ignoreEvents, cacheDir: join(root, "tidy") },
    );
    // What was replaced or never named is all that is left over: no packages.
    for await (const { path } of to.orphans())
      expect(readFileSync(join(place.url, path)).subarray(0, 12).toString()).toBe('{"database":');
    await to.close();
  });

  describe.skipIf(!hasS3Server())("in a bucket (skipped where no S3 server is installed)", () => {
    let server: S3Server;
    const kept = { ...process.env };
    beforeAll(async () => {
      server = await startS3Server("bucket");
      process.env.AWS_ACCESS_KEY_ID = "test";
      process.env.AWS_SECRET_ACCESS_KEY = "test";
    });
    afterAll(async () => {
      await server.close();
      process.env = kept;
    });
    it(
      "lose nothing",
      async () => {
        // Spack reads buckets by boto3, which the server's own Python has.
        const python = pythonWithBoto();
        await writeInRounds(
          (round) => ({
            url: `s3://bucket/round${round}`,
            s3: { endpoint: server.url, region: "us-east-1" },
            unsigned: false,
          }),
          async (place) => {
            if (python !== undefined) await judge(place, { python });
          },
        );
      },
      patience,
    );
  });

  describe.skipIf(dockerRegistryTrouble() !== undefined)(
    "in a registry (skipped where docker-registry is not installed)",
    () => {
      let registry: RealRegistry;
      beforeAll(async () => {
        registry = await startDockerRegistry({
          secure: spackUserTrouble === undefined && commandExists("openssl"),
        });
      });
      afterAll(() => registry.close());
      it(
        "lose nothing",
        async () => {
          // Spack 1.1.0 looks for the index of a cache by `oci+http:` as if it were none in a registry, and finds none.
          const { host, certificate } = registry.secure ?? {};
          await writeInRounds(
            (round) => ({ url: `oci+http://${registry.host}/caches/r${round}`, unsigned: true }),
            async ({ url }) => {
              if (host === undefined) return;
              const secure = url.replace(`oci+http://${registry.host}/`, `oci://${host}/`);
              await judge({ url: secure, unsigned: true }, { certificate });
            },
          );
        },
        patience,
      );
    },
  );
});
