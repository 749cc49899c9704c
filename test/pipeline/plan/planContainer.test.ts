import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CacheSet, openCacheSet } from "../../../src/buildcache/cacheSet.ts";
import { type Configuration, defaultConfiguration } from "../../../src/definitions/configuration.ts";
import type { Container } from "../../../src/definitions/container.ts";
import { planContainer } from "../../../src/pipeline/plan/planContainer.ts";
import { ignoreEvents } from "../../../src/util/events.ts";
import { builtPackage } from "../../support/builtPackage.ts";
import { cacheFiles3, writeCache } from "../../support/testCache.ts";

const tree = "/spack/opt/__spack_path_placeholder__/__spack_path_placeholder__";
const names = ["alpha", "beta", "gamma", "delta"];

let work: string;
let caches: CacheSet;
beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), "spacktainers-plan-"));
  await writeCache(
    join(work, "cache"),
    await cacheFiles3(names.map((name, at) => builtPackage(tree, name, at + 1))),
  );
  caches = openCacheSet([{ url: join(work, "cache"), keys: [], unsigned: true }], {
    emit: ignoreEvents,
    cacheDir: join(work, "home"),
  });
});
afterEach(async () => {
  await caches.close();
  await rm(work, { recursive: true, force: true });
});

const request = {
  frozen: false,
  strip: undefined,
  keepMetadata: false,
  allowUnresolved: ["libcuda.so.1"],
  buildArguments: new Map<string, string>(),
  epilogueNetwork: undefined,
  refresh: false,
};

function configured(budget: number): Configuration {
  const defaults = defaultConfiguration(work);
  const amd64 = { ...defaults.platforms.amd64, target: "x86_64_v3" };
  return {
    ...defaults,
    base: { kind: "scratch" },
    platforms: { ...defaults.platforms, amd64 },
    layers: { ...defaults.layers, budget },
    linkage: { allowUnresolved: ["libfabric.so.1"] },
  };
}

async function container(more: Partial<Container> = {}): Promise<Container> {
  const path = join(work, "tools", "spack.yaml");
  await mkdir(join(work, "tools"), { recursive: true });
  await writeFile(path, `spack:\n  specs: [${names.join(", ")}]\n`);
  const files = { path, lock: undefined, epilogue: undefined, tests: undefined };
  return { name: "tools", arch: "amd64", kind: "spack", parked: false, ...files, ...more };
}

const plan = async (budget: number, more: Partial<Container> = {}) =>
  planContainer(await container(more), configured(budget), {
    request,
    tools: {
      caches,
      areCachesGiven: false,
      registries: {
        repository: () => {
          throw new Error("no registry is asked");
        },
        close: async () => {},
      },
      baseCacheDir: join(work, "home", "base"),
      emit: ignoreEvents,
      signal: new AbortController().signal,
    },
  });

describe("the plan of a container", () => {
  it("is the plan of its packages, with a base and with layers, dependencies lowest", async () => {
    const { resolved, fragments, layers, base, allow, locks } = await plan(60);
    expect(resolved.version).toBe("1.1");
    expect(fragments).toHaveLength(4);
    expect(layers.flatMap(({ members }) => members.map(({ key }) => key)).sort()).toEqual(
      fragments.map(({ key }) => key).sort(),
    );
    expect(layers).toHaveLength(4);
    expect(base.layerCount).toBe(0);
    expect(allow).toEqual(["libfabric.so.1", "libcuda.so.1"]);
    expect(locks.inUse).toBe(false);
  });

  it("puts packages together where the budget of layers is small", async () => {
    const { fragments, layers } = await plan(3);
    expect(fragments).toHaveLength(4);
    expect(layers.length).toBeLessThan(4);
    expect(layers.flatMap(({ members }) => members)).toHaveLength(4);
  });

  it("is refused for what cannot be built, before anything is asked", async () => {
    await caches.close();
    await rm(join(work, "cache"), { recursive: true });
    const epilogue = join(work, "Dockerfile.epilogue");
    await writeFile(epilogue, "RUN true\nFROM debian\n");
    await expect(plan(60, { epilogue })).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
      place: { file: epilogue, line: 2 },
    });
    await expect(plan(60, { kind: "def" })).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });
});
