import { describe, expect, it } from "vitest";
import type { CachedPackage } from "../../../src/buildcache/types.ts";
import { findNeededPackages } from "../../../src/pipeline/compile/neededPackages.ts";
import { SpacktainersError } from "../../../src/util/errors.ts";
import { ignoreEvents } from "../../../src/util/events.ts";
import { graphOf, hashOf } from "../../spec/graph.ts";

const graph = graphOf([
  {
    name: "app",
    dependencies: [
      ["lib", ["link"]],
      ["cmake", ["build"]],
    ],
  },
  { name: "lib", dependencies: [["bison", ["build"]]] },
  { name: "bison" },
  { name: "cmake", dependencies: [["curl", ["link"]]] },
  { name: "curl" },
  { name: "gcc", rest: { external: { path: "/usr", module: null } } },
]);

/** Caches with these packages; what they were asked for is in `asked`. */
function cachesWith(...names: string[]) {
  const asked: string[] = [];
  return {
    asked,
    findPackage: async ({ name, hash }: { name: string; hash: string }) => {
      asked.push(name);
      if (!names.includes(name))
        throw new SpacktainersError("PACKAGE_NOT_CACHED", `${name} is in no build cache`);
      return { spec: graph.get(hashOf(name)), cacheUrl: "cache", hash } as unknown as CachedPackage;
    },
  };
}
const find = (caches: ReturnType<typeof cachesWith>, ...outdated: readonly string[]) =>
  findNeededPackages(
    { graph, roots: [hashOf("app")] },
    { caches, emit: ignoreEvents },
    new Set(outdated.map(hashOf)),
  );

describe("findNeededPackages", () => {
  it("takes nothing from caches that is to be built again", async () => {
    const caches = cachesWith("app", "lib", "cmake", "curl", "bison");
    const needed = await find(caches, "lib");
    expect(needed.graph.nodes.map(({ spec }) => spec.name)).toEqual(["lib"]);
    expect(needed.graph.fetched.map(({ name }) => name)).toEqual(["bison"]);
    expect([...needed.outdated]).toEqual([hashOf("lib")]);
    expect([...caches.asked].sort()).toEqual(["app", "bison"]);
  });

  it("asks for what is needed at run time first, and for what something is built with when it is missing", async () => {
    const everything = cachesWith("app", "lib");
    expect((await find(everything)).graph.nodes).toEqual([]);
    expect(everything.asked).toEqual(["app", "lib"]);

    const root = cachesWith("lib", "cmake", "curl");
    const needed = await find(root);
    expect(needed.graph.nodes.map(({ spec }) => spec.name)).toEqual(["app"]);
    expect(needed.graph.fetched.map(({ name }) => name)).toEqual(["curl", "cmake", "lib"]);
    // Not bison, which built what a cache has.
    expect([...root.asked].sort()).toEqual(["app", "cmake", "curl", "lib"]);
    expect(needed.cached.get(hashOf("lib"))?.spec.name).toBe("lib");

    const nothing = cachesWith();
    const all = await find(nothing);
    expect(all.graph.nodes.map(({ spec }) => spec.name).sort()).toEqual([
      "app",
      "bison",
      "cmake",
      "curl",
      "lib",
    ]);
    expect(nothing.asked).toHaveLength(5);
  });

  it("takes a spliced package for there when what it was made from is", async () => {
    const spliced = graphOf([
      { name: "app", rest: { build_spec: { name: "original", hash: hashOf("original") } } },
      { name: "original" },
    ]);
    const caches = cachesWith("original");
    const needed = await findNeededPackages(
      { graph: spliced, roots: [hashOf("app")] },
      { caches, emit: ignoreEvents },
    );
    expect(needed.graph.nodes).toEqual([]);
    expect(caches.asked).toEqual(["original"]);
  });

  it("does not build what a cache has but may not be trusted", async () => {
    const caches = {
      findPackage: () => Promise.reject(new SpacktainersError("SIGNATURE_INVALID", "a bad signature")),
    };
    await expect(
      findNeededPackages({ graph, roots: [hashOf("app")] }, { caches, emit: ignoreEvents }),
    ).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });
});
