import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, vi } from "vitest";
import { listPackages } from "../../../src/commands/cache/listPackages.ts";
import type { CacheRequest } from "../../../src/commands/cache/openNamedCaches.ts";
import { verifyPackages } from "../../../src/commands/cache/verifyPackages.ts";
import type { WorkEvent } from "../../../src/util/events.ts";
import { makeSpec } from "../../concretize/specs.ts";
import { makeKey, type TestKey } from "../../support/signingKey.ts";
import { specCache } from "../../support/specCache.ts";

export let folder: string;

export let events: WorkEvent[];

export let key: TestKey;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spacktainers-cache-"));
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "home"));
  events = [];
  key = await makeKey();
  await writeFile(join(folder, "key.pub"), key.armored);
  await writeFile(join(folder, "key.asc"), key.privateKey.armor());
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

export const modern = { modern: true } as const;

export const gcc = makeSpec("gcc@12.2.0", { ...modern, external: "/usr" });

export const cmake = makeSpec("cmake@3.20", modern);

export const zlib = makeSpec("zlib@1.3.1", { ...modern, build: [gcc, cmake] });

export const mpich = makeSpec("mpich@4.0.2", { ...modern, link: [zlib] });

export const ring = makeSpec("ring@2.0", { ...modern, run: [mpich] });

export const tree = makeSpec("tree@2.1", { ...modern, link: [zlib] });

export const specs = [ring, mpich, zlib, cmake, tree, gcc];

export function request(more: Partial<CacheRequest> = {}): CacheRequest {
  return {
    directory: folder,
    caches: [],
    trust: ["key.pub"],
    refresh: false,
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
    ...more,
  };
}

export const signed = (options: Parameters<typeof specCache>[1] = {}) =>
  specCache(specs, { sign: (text) => key.sign(text), ...options });

export async function names(cache: string): Promise<readonly string[]> {
  const found: string[] = [];
  await listPackages({ ...request({ caches: [cache] }), specs: [], sizes: false }, (packages) =>
    found.push(...packages.map(({ name }) => name)),
  );
  return found;
}

export async function problems(
  cache: string,
  trust: readonly string[] = ["key.pub"],
): Promise<readonly string[]> {
  const all = { ...request({ caches: [cache], trust }), specs: [], archives: true, jobs: 2 };
  return (await verifyPackages(all)).findings.map(({ message }) => message);
}
