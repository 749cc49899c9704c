import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { openBuildCache } from "../../src/buildcache/buildCache.ts";
import type { PackageId } from "../../src/buildcache/formats/packageId.ts";
import type { CacheSource } from "../../src/buildcache/types.ts";
import { readNode } from "../../src/spec/readSpecfile.ts";
import type { WorkEvent } from "../../src/util/events.ts";
import { type FaultServer, startFaultServer } from "../support/faultServer.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";
import { cacheFiles2, cacheFiles3, nodeOf, type TestPackage, testPackage } from "../support/testCache.ts";

export let key: TestKey;

export let stranger: TestKey;

export let server: FaultServer;

export let second: FaultServer;

export let work: string;

export let events: WorkEvent[];

export const packages = [testPackage("zlib", 1), testPackage("mpich", 2), testPackage("ring", 3, 400_000)];

export const [zlib, mpich, ring] = packages as [TestPackage, TestPackage, TestPackage];

beforeAll(async () => {
  [key, stranger] = await Promise.all([makeKey(), makeKey()]);
  server = await startFaultServer();
  second = await startFaultServer();
});

afterAll(async () => {
  await Promise.all([server.close(), second.close()]);
});

beforeEach(async () => {
  if (work !== undefined) await rm(work, { recursive: true, force: true });
  work = await mkdtemp(join(tmpdir(), "spacktainers-cache-"));
  events = [];
  for (const one of [server, second]) {
    one.files.clear();
    one.faults.clear();
    one.requests.length = 0;
  }
});

afterAll(() => rm(work, { recursive: true, force: true }));

export const layouts = [
  ["v2", cacheFiles2, 4],
  ["v3", cacheFiles3, 5],
] as const;

export const asked = (pkg: TestPackage, specfileVersion: 4 | 5): PackageId =>
  readNode(nodeOf(pkg, specfileVersion), { specfileVersion, place: {} });

export function serve(files: ReadonlyMap<string, Buffer>, on = server): void {
  for (const [path, bytes] of files) on.files.set(`/cache/${path}`, bytes);
}

export function source(over: Partial<CacheSource> = {}): CacheSource {
  return {
    url: `${server.url}/cache`,
    keys: [key.file],
    unsigned: false,
    ...over,
  };
}

export const options = (over: object = {}) => ({
  emit: (event: WorkEvent) => {
    events.push(event);
  },
  cacheDir: join(work, "home"),
  retries: 2,
  retryDelayMs: 5,
  ...over,
});

export const open = (over: Partial<CacheSource> = {}, more: object = {}) =>
  openBuildCache(source(over), options(more));

export const warnings = () => events.filter((event) => event.type === "warning");
