import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { blobPath, manifestPath } from "../../../src/buildcache/formats/v3/paths.ts";
import {
  type PruneAnnouncement,
  type PruneRequest,
  pruneCaches,
} from "../../../src/commands/cache/pruneCaches.ts";
import { type PushInstalledRequest, pushInstalled } from "../../../src/commands/cache/pushInstalled.ts";
import { rebuildIndexes } from "../../../src/commands/cache/rebuildIndexes.ts";
import { writeLock, writeNode } from "../../../src/environment/writeLock.ts";
import type { ConcreteSpec } from "../../../src/spec/concrete.ts";
import { digestOf } from "../../../src/util/digest.ts";
import { makeSpec } from "../../concretize/specs.ts";
import { packedSpec, specDocument } from "../../support/specCache.ts";
import { writeCache } from "../../support/testCache.ts";
import {
  folder,
  modern,
  mpich,
  names,
  problems,
  request,
  ring,
  signed,
  specs,
  tree,
  zlib,
} from "./writtenCaches.ts";

describe("pruneCaches", () => {
  const definition = async (name: string, roots: readonly ConcreteSpec[], lock = true) => {
    const path = join(folder, "container_definitions/amd64", name);
    await mkdir(path, { recursive: true });
    await writeFile(
      join(path, "spack.yaml"),
      `spack:\n  specs: [${roots.map((root) => root.name).join(", ")}]\n`,
    );
    const graph = new Map(specs.map((spec) => [spec.hash, spec]));
    if (!lock) return;
    const contents = { roots: roots.map(({ name: request, hash }) => ({ request, hash })), graph };
    await writeFile(join(path, "spack.lock"), writeLock(contents));
  };
  const aged = async (cache: string, hours: number) => {
    const then = new Date(Date.now() - hours * 3_600_000);
    for (const entry of await readdir(join(folder, cache), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), then, then);
  };
  const prune = async (more: Partial<PruneRequest> = {}) => {
    let plan: PruneAnnouncement | undefined;
    const outcomes = await pruneCaches(
      {
        ...request({ caches: ["a"] }),
        keep: [],
        keepSpecs: [],
        images: false,
        grace: 24,
        runtimeOnly: false,
        allowEmpty: false,
        remove: false,
        ...more,
      },
      (announced) => {
        plan = announced;
      },
    );
    const [cache] = plan?.caches ?? [];
    return {
      outcomes,
      gone: cache?.remove.map(({ name }) => name),
      reasons: Object.fromEntries((cache?.keep ?? []).map(({ name, reason }) => [name, reason?.kind])),
      cache,
      codes: plan?.problems.map(({ code }) => code),
      labels: plan?.needs.map(({ label }) => label),
    };
  };

  it("says what nothing needs, why the rest stays and how much that is, and changes nothing", async () => {
    const files = await signed();
    await writeCache(join(folder, "a"), files);
    await aged("a", 48);
    await definition("tool", [mpich]);
    const { gone, reasons, cache, codes, outcomes } = await prune();
    expect(gone).toEqual(["ring", "tree"]);
    expect(reasons).toEqual({ mpich: "named", zlib: "named", cmake: "named" });
    expect(cache?.bytes).toBe(packedSpec(specs, ring).length + packedSpec(specs, tree).length);
    expect(codes).toEqual([]);
    expect(outcomes).toEqual([]);
    expect(await names("a")).toHaveLength(5);
    expect((await prune({ runtimeOnly: true })).gone).toEqual(["cmake", "ring", "tree"]);
    expect((await prune({ keepSpecs: ["tree"] })).gone).toEqual(["ring"]);
  });

  it("removes it, with what nothing names, and leaves whole what stays", async () => {
    const files = await signed();
    const stray = Buffer.from("what a killed push left");
    files.set(blobPath(digestOf(stray)), stray);
    await writeCache(join(folder, "a"), files);
    await aged("a", 48);
    await definition("tool", [mpich]);
    const { cache, outcomes } = await prune({ remove: true });
    expect(cache?.orphans).toEqual([{ path: blobPath(digestOf(stray)), size: stray.length }]);
    expect(outcomes).toEqual([expect.objectContaining({ removed: 2, orphans: 1, spared: 0 })]);
    expect(await names("a")).toEqual(["cmake", "mpich", "zlib"]);
    expect(await problems("a")).toEqual([]);
    for (const path of [
      blobPath(digestOf(stray)),
      blobPath(digestOf(packedSpec(specs, ring))),
      manifestPath(ring),
    ])
      expect(existsSync(join(folder, "a", path))).toBe(false);
  });

  it("keeps what is young, and what that needs", async () => {
    await writeCache(join(folder, "a"), await signed());
    await aged("a", 48);
    await definition("tool", [mpich]);
    const now = new Date();
    await utimes(join(folder, "a", manifestPath(ring)), now, now);
    expect((await prune()).gone).toEqual(["tree"]);
    expect((await prune({ grace: 0 })).gone).toEqual(["ring", "tree"]);
    expect((await prune({ grace: 72 })).gone).toEqual([]);
  });

  it("counts what other repositories, locks and containers without a lock need", async () => {
    await writeCache(join(folder, "a"), await signed());
    await aged("a", 48);
    await definition("tool", [tree], false);
    const unlocked = await prune();
    expect(unlocked.labels).toEqual([expect.stringContaining("amd64/tool")]);
    expect(unlocked.gone).toEqual(["mpich", "ring"]);
    await mkdir(join(folder, "elsewhere"));
    const graph = new Map(specs.map((spec) => [spec.hash, spec]));
    const lock = writeLock({ roots: [{ request: "ring", hash: ring.hash }], graph });
    await writeFile(join(folder, "elsewhere/spack.lock"), lock);
    expect((await prune({ keep: ["elsewhere"] })).gone).toEqual([]);
    expect((await prune({ keep: ["elsewhere/spack.lock"] })).gone).toEqual([]);
    await mkdir(join(folder, "other/container_definitions/amd64/x"), { recursive: true });
    await writeFile(
      join(folder, "other/container_definitions/amd64/x/spack.yaml"),
      "spack: { specs: [ring] }\n",
    );
    await writeFile(join(folder, "other/container_definitions/amd64/x/spack.lock"), lock);
    expect((await prune({ keep: ["other"] })).gone).toEqual([]);
  });

  it("removes nothing while it cannot be told what something needs", async () => {
    await writeCache(join(folder, "a"), await signed());
    await aged("a", 48);
    // Nothing named at all.
    expect((await prune()).codes).toEqual(["USAGE"]);
    await expect(prune({ remove: true })).rejects.toMatchObject({ code: "USAGE" });
    // A container that nothing can be chosen for.
    await definition("tool", [makeSpec("hdf5@1", modern)], false);
    await definition("other", [mpich]);
    expect((await prune()).codes).toEqual(["NO_SOLUTION"]);
    await expect(prune({ remove: true })).rejects.toMatchObject({ code: "NO_SOLUTION" });
    await expect(prune({ remove: true, keep: ["missing"] })).rejects.toThrow();
    expect(await names("a")).toHaveLength(5);
    expect(await problems("a")).toEqual([]);
  });

  it("spares what a push brought, or came to need, between the plan and the removal", async () => {
    const files = await signed();
    const late = manifestPath(ring);
    const text = files.get(late) ?? Buffer.from("");
    files.delete(late);
    await writeCache(join(folder, "a"), files);
    await aged("a", 48);
    await definition("tool", [zlib]);
    let plan: PruneAnnouncement | undefined;
    const [outcome] = await pruneCaches(
      {
        ...request({ caches: ["a"] }),
        keep: [],
        keepSpecs: [],
        images: false,
        grace: 24,
        runtimeOnly: false,
        allowEmpty: false,
        remove: true,
      },
      (announced) => {
        plan = announced;
        mkdirSync(dirname(join(folder, "a", late)), { recursive: true });
        writeFileSync(join(folder, "a", late), text);
      },
    );
    expect(plan?.caches[0]?.remove.map(({ name }) => name)).toEqual(["mpich", "tree"]);
    expect(outcome).toMatchObject({ removed: 1, spared: 1 });
    await rebuildIndexes(request({ caches: ["a"] }));
    expect(await names("a")).toEqual(["cmake", "mpich", "ring", "zlib"]);
    expect(await problems("a")).toEqual([]);
  });

  it("prunes of the configured caches those only that are pushed to", async () => {
    await definition("tool", [mpich]);
    await writeCache(join(folder, "a"), await signed());
    await writeFile(join(folder, "spacktainers.yaml"), `caches: [{ url: a, trust: [key.pub] }]\n`);
    await expect(prune({ caches: [], trust: [] })).rejects.toMatchObject({ code: "USAGE" });
  });
});

describe("pushInstalled", () => {
  const push = (more: Partial<PushInstalledRequest>) =>
    pushInstalled({
      ...request(),
      to: "b",
      store: undefined,
      packages: [],
      sign: "key.asc",
      unsigned: false,
      layout: undefined,
      closure: true,
      withBuild: false,
      replace: false,
      dryRun: true,
      ...more,
    });
  const install = async (there: readonly ConcreteSpec[]) => {
    const root = join(folder, "opt");
    const installs = Object.fromEntries(
      specs.map((spec) => [
        spec.hash,
        {
          spec: writeNode(spec, spec.specfileVersion),
          path: spec.external === undefined ? join(root, spec.name) : spec.external.path,
          installed: there.includes(spec),
        },
      ]),
    );
    await mkdir(join(root, ".spack-db"), { recursive: true });
    const database = { database: { version: "8", installs } };
    await writeFile(join(root, ".spack-db/index.json"), JSON.stringify(database));
    for (const spec of there) {
      await mkdir(join(root, spec.name, ".spack"), { recursive: true });
      const document = JSON.stringify(specDocument(specs, spec));
      await writeFile(join(root, spec.name, ".spack/spec.json"), document);
    }
  };
  const namesOf = ({ packages }: Awaited<ReturnType<typeof push>>) =>
    packages.map(({ name, outcome }) => `${name} ${outcome}`);

  it("finds what would be pushed, by prefix and by spec, with what it needs", async () => {
    await install([ring, mpich, zlib, tree]);
    expect(namesOf(await push({ packages: ["opt/ring"] }))).toEqual(["zlib copy", "mpich copy", "ring copy"]);
    expect(namesOf(await push({ store: "opt", packages: ["tree@2:"] }))).toEqual(["zlib copy", "tree copy"]);
    expect(namesOf(await push({ store: "opt", packages: ["ring"], closure: false }))).toEqual(["ring copy"]);
    expect(await push({ store: "opt" })).toMatchObject({ packages: { length: 4 } });
    // What the cache has is left alone.
    await writeCache(join(folder, "b"), await signed({ without: [tree] }));
    expect(namesOf(await push({ store: "opt", packages: ["tree"] })).sort()).toEqual([
      "tree copy",
      "zlib present",
    ]);
  });

  it("says what is not installed, and what no prefix is", async () => {
    await install([ring, mpich]);
    await expect(push({ packages: ["opt/ring"] })).rejects.toMatchObject({
      code: "PACKAGE_NOT_CACHED",
      message: expect.stringMatching(/zlib@1.3.1.*needed at run time by mpich/),
    });
    await expect(push({ store: "opt", packages: ["tree"] })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(push({ packages: ["opt"] })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(push({})).rejects.toMatchObject({ code: "USAGE" });
    await expect(push({ packages: ["opt/ring"], to: undefined })).rejects.toMatchObject({ code: "USAGE" });
  });
});
