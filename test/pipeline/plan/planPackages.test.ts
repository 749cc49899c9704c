import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CacheSet, openCacheSet } from "../../../src/buildcache/cacheSet.ts";
import { type Configuration, defaultConfiguration } from "../../../src/definitions/configuration.ts";
import { openEnvironment } from "../../../src/pipeline/choose/openEnvironment.ts";
import { imageSettings, planPackages } from "../../../src/pipeline/plan/planPackages.ts";
import { type LockUse, noLocks } from "../../../src/pipeline/plan/useLocks.ts";
import { SpacktainersError } from "../../../src/util/errors.ts";
import type { WorkEvent } from "../../../src/util/events.ts";
import { builtPackage } from "../../support/builtPackage.ts";
import { type FaultServer, startFaultServer } from "../../support/faultServer.ts";
import { blobPath, cacheFiles2, cacheFiles3, type TestPackage } from "../../support/testCache.ts";

const packages = [
  builtPackage("/spack/opt/padded/__spack_path_placeholder__", "alpha", 1),
  builtPackage("/spack/opt/padded/__spack_path_placeholder__", "beta", 2),
];
const [alpha, beta] = packages as [TestPackage, TestPackage];

let server: FaultServer;
let work: string;
let events: WorkEvent[];
let caches: CacheSet;
beforeAll(async () => {
  server = await startFaultServer();
});
afterAll(() => server.close());
beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), "spacktainers-plan-"));
  events = [];
  server.requests.length = 0;
  server.files.clear();
  await serve(cacheFiles3);
});
afterEach(async () => {
  await caches.close();
  await rm(work, { recursive: true, force: true });
});

const emit = (event: WorkEvent): void => void events.push(event);

async function serve(makeFiles: typeof cacheFiles3): Promise<void> {
  for (const [path, bytes] of await makeFiles(packages)) server.files.set(`/cache/${path}`, bytes);
  caches = openCacheSet([{ url: `${server.url}/cache`, keys: [], unsigned: true }], {
    emit,
    cacheDir: join(work, "home"),
    retries: 0,
  });
}

function configured(over: Partial<Configuration["install"]> = {}): Configuration {
  const configuration = defaultConfiguration(work);
  return {
    ...configuration,
    install: { ...configuration.install, ...over },
    platforms: {
      ...configuration.platforms,
      amd64: { ...configuration.platforms.amd64, target: "x86_64_v3" },
    },
  };
}

async function plan(configuration: Configuration, locks: LockUse = noLocks, specs = "[alpha, beta]") {
  const path = join(work, "tools", "spack.yaml");
  await mkdir(join(work, "tools"), { recursive: true });
  await writeFile(path, `spack:\n  specs: ${specs}\n`);
  const container = { path, lock: undefined, arch: "amd64" } as const;
  const loaded = await openEnvironment(container, configuration, { caches, emit });
  const settings = imageSettings(configuration, { strip: undefined, keepMetadata: false });
  return planPackages({ container, configuration, loaded, locks }, settings, { caches, emit });
}

/** What was asked of an archive. */
const requestsFor = (pkg: TestPackage) =>
  server.requests.filter(({ path }) => path === `/cache/${blobPath(pkg.archive)}`);

describe("the packages of a container", () => {
  it("are chosen, placed and given keys, and no archive is downloaded for it", async () => {
    const { resolved, prefixes, fragments } = await plan(configured({ root: "/opt/software" }));
    expect(resolved.packages.map(({ spec }) => spec.name).sort()).toEqual(["alpha", "beta"]);
    for (const { spec } of resolved.packages)
      expect(prefixes.get(spec.hash)).toMatch(
        new RegExp(`^/opt/software/.*${spec.name}-${spec.version}-${spec.hash}$`),
      );
    expect(fragments.map(({ spec }) => spec.hash)).toEqual(resolved.packages.map(({ spec }) => spec.hash));
    for (const { key } of fragments) expect(key).toMatch(/^[0-9a-f]{64}$/);
    for (const pkg of packages) {
      expect(requestsFor(pkg).length).toBeGreaterThan(0);
      for (const { headers } of requestsFor(pkg)) expect(headers.range).toMatch(/^bytes=0-\d+$/);
    }
    expect(events.some((event) => event.type === "task-start" && event.kind === "download")).toBe(false);
  });

  it("have other keys where they go elsewhere or are installed in another way, the same ones otherwise", async () => {
    const keys = async (configuration: Configuration) =>
      (await plan(configuration)).fragments.map(({ key }) => key);
    const usual = await keys(configured());
    expect(await keys(configured())).toEqual(usual);
    const elsewhere = await keys(configured({ root: "/sw" }));
    const unstripped = await keys({ ...configured(), strip: false });
    for (const others of [elsewhere, unstripped]) for (const key of others) expect(usual).not.toContain(key);
  });

  it("are refused before anything is downloaded when their prefixes would grow", async () => {
    const root = `/${"long/".repeat(20)}root`;
    const refused = await plan(configured({ root })).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "PREFIX_TOO_LONG" });
    expect(String(refused)).toMatch(/alpha.*beta|beta.*alpha/);
    for (const pkg of packages)
      for (const { headers } of requestsFor(pkg)) expect(headers.range).toMatch(/^bytes=0-\d+$/);
  });

  it("are held against the locks before anything is asked of archives", async () => {
    const seen: string[] = [];
    const stale = new SpacktainersError("LOCK_STALE", "another archive");
    const locks: LockUse = {
      ...noLocks,
      checkPackages(found) {
        seen.push(...found.map(({ spec }) => spec.name));
        throw stale;
      },
    };
    await expect(plan(configured(), locks, "[beta]")).rejects.toBe(stale);
    expect(seen).toEqual(["beta"]);
    expect(requestsFor(beta)).toEqual([]);
    expect(requestsFor(alpha)).toEqual([]);
  });

  it("are counted as packages while they are looked up", async () => {
    await plan(configured());
    const at = events.findIndex((event) => event.type === "stage" && event.stage === "look-up-packages");
    expect(events[at]).toMatchObject({ total: 2, counts: "lookup" });
    const ended = events
      .slice(at)
      .filter((event) => event.type === "task-end" && event.id.startsWith("lookup:"));
    expect(ended).toHaveLength(2);
  });
});

it("reads a manifest without a lock in the language of the Spack that wrote the caches", async () => {
  server.files.clear();
  await caches.close();
  await serve(cacheFiles2);
  const path = join(work, "spack.yaml");
  await writeFile(path, "spack:\n  specs: [alpha]\n");
  const tools = { caches, emit };
  const open = async (configuration: Configuration) =>
    (await openEnvironment({ path, lock: undefined, arch: "amd64" }, configuration, tools)).environment
      .dialect;
  expect(await open(configured())).toBe("0.x");
  const { spack } = configured();
  expect(await open({ ...configured(), spack: { ...spack, dialect: "1.x" } })).toBe("1.x");
});

it("warns of a manifest's mirror only where no cache is given for it", async () => {
  const path = join(work, "spack.yaml");
  await writeFile(path, "spack:\n  specs: [alpha]\n  mirrors: { group: https://group.example/cache }\n");
  const warnings = async (areCachesGiven: boolean) => {
    events.length = 0;
    const container = { path, lock: undefined, arch: "amd64" } as const;
    await openEnvironment(container, configured(), { caches, areCachesGiven, emit });
    return events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  };
  expect(await warnings(false)).toEqual([expect.stringContaining("the mirror `group`")]);
  expect(await warnings(true)).toEqual([]);
});
