import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readLock } from "../../src/environment/lock.ts";
import { SpacktainersError } from "../../src/util/errors.ts";

const hash = (letter: string) => letter.repeat(32);
const [app, appAgain, library, tool, olderTool] = ["a", "b", "c", "d", "e"].map(hash);
const known = hash("k");

const facts = {
  version: "1.0",
  arch: { platform: "linux", platform_os: "centos7", target: { name: "skylake", vendor: "GenuineIntel" } },
  compiler: { name: "gcc", version: "9.3.0" },
  namespace: "builtin",
  parameters: { shared: true, cflags: [] },
};

const lock = (
  version: number,
  specs: Readonly<Record<string, unknown>>,
  roots: readonly (readonly [string, string])[],
) =>
  JSON.stringify({
    _meta: { "file-type": "spack-lockfile", "lockfile-version": version },
    roots: roots.map(([key, spec]) => ({ hash: key, spec })),
    concrete_specs: specs,
  });

describe("locks of versions 1 to 3", () => {
  it("1: the lock's keys are the hashes, names are keys", () => {
    const text = lock(
      1,
      {
        [String(app)]: {
          app: { ...facts, dependencies: { library: { hash: library, type: ["build", "link"] } } },
        },
        [String(library)]: { library: facts },
      },
      [[String(app), "app ^library"]],
    );
    const read = readLock(text, "spack.lock");
    expect(read).toMatchObject({ lockVersion: 1, specfileVersion: 1, dialect: "0.x" });
    expect(read.roots).toEqual([{ hash: app, request: "app ^library", group: undefined }]);
    const spec = [...read.graph.values()][0];
    expect(spec).toMatchObject({
      name: "app",
      hash: app,
      target: "skylake",
      compiler: { name: "gcc", version: "9.3.0" },
    });
    expect(spec?.dependencies).toMatchObject([{ name: "library", hash: library }]);
    expect([...(spec?.dependencies[0]?.types ?? [])]).toEqual(["build", "link"]);
  });

  // Two keys, one package: only the tools that built it differ. The one that the roots reach first stays.
  const twice = (
    named: (node: Record<string, unknown>, name: string) => unknown,
    edges: (...all: readonly [string, unknown][]) => unknown,
  ) => ({
    [String(app)]: named({ ...facts, hash: known, dependencies: edges(["tool", tool]) }, "app"),
    [String(appAgain)]: named({ ...facts, hash: known, dependencies: edges(["tool", olderTool]) }, "app"),
    [String(tool)]: named({ ...facts, hash: hash("t") }, "tool"),
    [String(olderTool)]: named({ ...facts, hash: hash("o") }, "tool"),
  });
  const roots = [
    [String(appAgain), "app ^tool@1"],
    [String(app), "app ^tool@2"],
  ] as const;

  it.each([
    [
      2,
      twice(
        (node, name) => ({ [name]: node }),
        (...all) => Object.fromEntries(all.map(([name, key]) => [name, { hash: key, type: ["build"] }])),
      ),
    ],
    [
      3,
      twice(
        (node, name) => ({ ...node, name }),
        (...all) => all.map(([name, key]) => ({ name, build_hash: key, type: ["build"] })),
      ),
    ],
  ])("%i: packages have hashes besides the lock's keys", (version, specs) => {
    const read = readLock(lock(version, specs, roots), "spack.lock");
    expect(read.roots.map((root) => root.hash)).toEqual([known, known]);
    expect(read.graph.get(read.roots[0]?.hash ?? ("" as never))?.dependencies).toMatchObject([
      { hash: hash("o") },
    ]);
    expect([...read.graph.keys()].sort()).toEqual([known, hash("o"), hash("t")].sort());
  });

  it.each([
    [1, { [String(app)]: { app: facts, more: facts } }, "is not as locks of version 1 have it"],
    [2, { [String(app)]: facts.version }, "is not as locks of version 2 have it"],
    [3, { [String(app)]: { app: facts } }, "is not as locks of version 3 have it"],
    [2, { [String(app)]: { app: { ...facts, dependencies: [] } } }, "the dependencies of app"],
    [
      3,
      { [String(app)]: { ...facts, name: "app", dependencies: [{ name: "x", type: ["link"] }] } },
      "the dependencies of app",
    ],
    [
      3,
      {
        [String(app)]: {
          ...facts,
          name: "app",
          dependencies: [{ name: "x", hash: library, type: ["link"] }],
        },
      },
      "the dependency x of",
    ],
    [3, {}, "is not among the concrete specs"],
    [2, { [String(app)]: { app: { ...facts, hash: "no hash" } } }, "hash"],
  ])("version %i is refused when malformed", (version, specs, message) => {
    expect(() => readLock(lock(version, specs, [[String(app), "app"]]), "l")).toThrow(
      expect.objectContaining({ code: "LOCK_INVALID", message: expect.stringContaining(message) }),
    );
  });

  it("fails with an error, whatever is in it", () => {
    const key = fc.constantFrom(app, library, "x");
    const json = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.dictionary(key.map(String), json), (version, specs) => {
        try {
          readLock(lock(version, specs, [[String(app), "app"]]), "l");
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SpacktainersError);
        }
      }),
    );
  });
});
