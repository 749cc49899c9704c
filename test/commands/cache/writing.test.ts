import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { manifestPath } from "../../../src/buildcache/formats/v3/paths.ts";
import { type CopyRequest, copyPackages } from "../../../src/commands/cache/copyPackages.ts";
import { listKeys } from "../../../src/commands/cache/listKeys.ts";
import { publishKeys } from "../../../src/commands/cache/publishKeys.ts";
import { rebuildIndexes } from "../../../src/commands/cache/rebuildIndexes.ts";
import { makeSpec } from "../../concretize/specs.ts";
import { makeKey } from "../../support/signingKey.ts";
import { specCache } from "../../support/specCache.ts";
import { writeCache } from "../../support/testCache.ts";
import { cmake, folder, gcc, key, names, problems, request, signed, specs, zlib } from "./writtenCaches.ts";

describe("copyPackages", () => {
  const copy = (more: Partial<CopyRequest> = {}) =>
    copyPackages({
      ...request(),
      from: "a",
      to: "b",
      fromUnsigned: false,
      specs: ["ring"],
      sign: "key.asc",
      unsigned: false,
      layout: undefined,
      closure: true,
      withBuild: false,
      replace: false,
      dryRun: false,
      jobs: 1,
      ...more,
    });
  const outcomes = ({ packages }: Awaited<ReturnType<typeof copy>>) =>
    packages.map(({ name, outcome }) => `${name} ${outcome}`);

  it("copies what is needed at run time, dependencies first, and signs it", async () => {
    await writeCache(join(folder, "a"), await signed());
    expect(outcomes(await copy({ dryRun: true }))).toEqual(["zlib copy", "mpich copy", "ring copy"]);
    expect(existsSync(join(folder, "b"))).toBe(false);
    const report = await copy();
    expect(outcomes(report)).toEqual(["zlib copied", "mpich copied", "ring copied"]);
    expect(report.signedBy).toBe(key.fingerprint);
    expect(await names("b")).toEqual(["mpich", "ring", "zlib"]);
    expect(await problems("b")).toEqual([]);
    expect(outcomes(await copy())).toEqual(["zlib present", "mpich present", "ring present"]);
    expect(outcomes(await copy({ replace: true }))).toEqual(["zlib copied", "mpich copied", "ring copied"]);
  });

  it("copies what they were built with when asked to, and a package alone when asked to", async () => {
    await writeCache(join(folder, "a"), await signed());
    expect(outcomes(await copy({ withBuild: true }))).toContain("cmake copied");
    expect(outcomes(await copy({ to: "c", closure: false }))).toEqual(["ring copied"]);
  });

  it("verifies before it copies, and copies nothing that is refused", async () => {
    const other = await makeKey();
    await writeCache(join(folder, "a"), await specCache(specs, { sign: (text) => other.sign(text) }));
    await expect(copy()).rejects.toMatchObject({ code: "KEY_UNKNOWN" });
    await writeCache(join(folder, "plain"), await specCache(specs));
    await expect(copy({ from: "plain", to: "c" })).rejects.toMatchObject({ code: "SIGNATURE_MISSING" });
    expect(outcomes(await copy({ from: "plain", to: "c", fromUnsigned: true }))).toContain("ring copied");
    expect(existsSync(join(folder, "b/v3/manifests/spec"))).toBe(false);
  });

  it("refuses a copy that would not be whole", async () => {
    await writeCache(join(folder, "a"), await signed({ without: [zlib] }));
    await expect(copy()).rejects.toMatchObject({
      code: "PACKAGE_NOT_CACHED",
      message: expect.stringMatching(/zlib@1.3.1.*needed at run time by mpich/),
    });
    // The other cache may have it already.
    await writeCache(
      join(folder, "b"),
      await specCache([zlib, cmake, gcc], { sign: (text) => key.sign(text) }),
    );
    expect(outcomes(await copy())).toEqual(["mpich copied", "ring copied"]);
  });

  it("goes on after an interruption", async () => {
    await writeCache(join(folder, "a"), await signed());
    const abort = new AbortController();
    const stopped = copy({
      signal: abort.signal,
      emit: (event) => {
        if (event.type === "task-end" && event.id.startsWith("push:")) abort.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(outcomes(await copy())).toEqual(["zlib present", "mpich copied", "ring copied"]);
    expect(await names("b")).toEqual(["mpich", "ring", "zlib"]);
  });

  it("sees that something was removed while it was at work", async () => {
    await writeCache(join(folder, "a"), await signed());
    await copy({ specs: ["zlib"] });
    let removed = false;
    const report = await copy({
      emit: (event) => {
        if (removed || event.type !== "task-start" || !event.label.startsWith("ring")) return;
        removed = true;
        void rm(join(folder, "b", manifestPath(zlib)));
      },
    });
    expect(outcomes(report)).toEqual(["zlib copied", "mpich copied", "ring copied"]);
    expect(await problems("b")).toEqual([]);
  });

  it("changes the layout where the other can hold the package", async () => {
    const old = makeSpec("zlib@1.2.13");
    await writeCache(join(folder, "a"), await specCache([old], { sign: (text) => key.sign(text) }));
    await copy({ specs: ["zlib"], layout: "v3" });
    expect(existsSync(join(folder, "b", manifestPath(old)))).toBe(true);
    expect(await problems("b")).toEqual([]);
    await writeCache(join(folder, "c"), await signed());
    await expect(copy({ from: "c", to: "d", layout: "v2" })).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });

  it("takes a target without signatures only when told", async () => {
    await writeCache(join(folder, "a"), await signed());
    await copy({ unsigned: true });
    expect(await problems("b")).toHaveLength(3);
    await expect(copy({ from: "a", to: "a" })).rejects.toMatchObject({ code: "USAGE" });
    await writeFile(
      join(folder, "spacktainers.yaml"),
      `caches: [{ url: ${join(folder, "c")}, trust: [key.pub] }]\n`,
    );
    await expect(copy({ to: join(folder, "c"), unsigned: true })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });
});

describe("publishKeys", () => {
  it("publishes keys and takes them out; copying publishes the key that signs", async () => {
    await writeCache(join(folder, "a"), await signed());
    const listed = async (cache: string) =>
      (await listKeys(request({ caches: [cache], trust: [] }))).map(({ fingerprint }) => fingerprint);
    const publish = (files: readonly string[], withdraw: readonly string[] = []) =>
      publishKeys({ ...request({ caches: ["a"] }), publish: files, withdraw });
    expect(await publish(["key.pub"])).toMatchObject([{ fingerprint: key.fingerprint, outcome: "written" }]);
    expect(await publish(["key.pub"])).toMatchObject([{ outcome: "present" }]);
    expect(await listed("a")).toEqual([key.fingerprint]);
    await publish([], [key.fingerprint.toLowerCase()]);
    expect(await listed("a")).toEqual([]);
    await expect(publish(["key.asc"])).rejects.toMatchObject({ code: "KEY_INVALID" });
    const target = { sign: "key.asc", unsigned: false, layout: undefined };
    const how = {
      fromUnsigned: false,
      closure: true,
      withBuild: false,
      replace: false,
      dryRun: false,
      jobs: 1,
    };
    await copyPackages({ ...request(), ...target, ...how, from: "a", to: "b", specs: ["zlib"] });
    expect(await listed("b")).toEqual([key.fingerprint]);
  });
});

describe("rebuildIndexes", () => {
  it("makes the index from what is there", async () => {
    await writeCache(join(folder, "a"), await signed({ index: false }));
    const [rebuilt] = await rebuildIndexes(request({ caches: ["a"] }));
    expect(rebuilt?.indexes).toEqual([{ format: "v3", packages: 5, added: 5, removed: 0 }]);
    expect(await names("a")).toEqual(["cmake", "mpich", "ring", "tree", "zlib"]);
    expect(await problems("a")).toEqual([]);
    await expect(rebuildIndexes(request())).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});
