import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lockStaleness, readLock } from "../../src/environment/lock.ts";
import { readManifest } from "../../src/environment/manifest.ts";
import type { Environment } from "../../src/environment/types.ts";
import { lockDialect, writeLock } from "../../src/environment/writeLock.ts";

const zlib = "a".repeat(32);
const hdf5 = "b".repeat(32);

function node(name: string, hash: string, dependencies: readonly unknown[] = [], version = 4) {
  return {
    name,
    version: "1.2",
    arch: { platform: "linux", platform_os: "debian12", target: "x86_64_v3" },
    ...(version < 5 ? { compiler: { name: "gcc", version: "12.2.0" } } : {}),
    namespace: "builtin",
    parameters: { shared: true, cflags: [] },
    ...(dependencies.length > 0 ? { dependencies } : {}),
    hash,
  };
}

const edge = (name: string, hash: string) => ({
  name,
  hash,
  parameters: { deptypes: ["build", "link"], virtuals: [] },
});

function lock(changes: Readonly<Record<string, unknown>> = {}, version = 5): string {
  return JSON.stringify({
    _meta: { "file-type": "spack-lockfile", "lockfile-version": version, "specfile-version": 4 },
    roots: [{ hash: hdf5, spec: "hdf5+mpi" }],
    concrete_specs: { [hdf5]: node("hdf5", hdf5, [edge("zlib", zlib)]), [zlib]: node("zlib", zlib) },
    ...changes,
  });
}

function environmentOf(...specs: string[]): Environment {
  const { environment } = readManifest(`spack:\n  specs: ${JSON.stringify(specs)}\n`, "spack.yaml", {
    dialect: "0.x",
  });
  if (environment === undefined) throw new Error("invalid");
  return environment;
}

describe("readLock", () => {
  it("reads roots and the graph", () => {
    const read = readLock(lock(), "spack.lock");
    expect(read).toMatchObject({
      lockVersion: 5,
      specfileVersion: 4,
      dialect: "0.x",
      spackVersion: undefined,
    });
    expect(read.roots).toEqual([{ hash: hdf5, request: "hdf5+mpi", group: undefined }]);
    expect([...read.graph.values()].map(({ name }) => name)).toEqual(["hdf5", "zlib"]);
  });

  it("knows the dialect and the nodes of each version", () => {
    const v4 = (deps: readonly unknown[]) => ({
      [hdf5]: { ...node("hdf5", hdf5), dependencies: deps },
      [zlib]: node("zlib", zlib),
    });
    expect(
      readLock(lock({ concrete_specs: v4([{ name: "zlib", hash: zlib, type: ["link"] }]) }, 4), "l"),
    ).toMatchObject({ specfileVersion: 3, dialect: "0.x" });
    for (const [version, specfileVersion] of [
      [6, 5],
      [7, 5],
      [8, 6],
    ] as const)
      expect(readLock(lock({}, version), "l")).toMatchObject({ specfileVersion, dialect: "1.x" });
  });

  it("refuses versions that there have never been", () =>
    expect(() => readLock(lock({}, 0), "l")).toThrow(expect.objectContaining({ code: "LOCK_INVALID" })));

  it("refuses newer versions", () =>
    expect(() => readLock(lock({}, 9), "l")).toThrow(expect.objectContaining({ code: "NOT_SUPPORTED" })));

  it("reads included environments, however deep, as roots of this one", () => {
    const text = lock({
      include_concrete: {
        "/a": {
          roots: [],
          concrete_specs: {},
          include_concrete: {
            "/b": {
              roots: [{ hash: "c".repeat(32), spec: "lz4" }],
              concrete_specs: { ["c".repeat(32)]: node("lz4", "c".repeat(32)) },
            },
          },
        },
      },
    });
    const read = readLock(text, "l");
    expect(read.includedRoots.map(({ request }) => request)).toEqual(["lz4"]);
    expect(read.graph.size).toBe(3);
  });

  it("keeps groups", () => {
    expect(
      readLock(lock({ roots: [{ hash: zlib, spec: "zlib", group: "g" }] }, 7), "l").roots[0]?.group,
    ).toBe("g");
  });

  it.each([
    ["{", /not JSON/],
    ["[]", /not a JSON object/],
    ["{}", /does not say that it is a lock/],
    [lock({ roots: {} }), /`roots` is not a list/],
    [lock({ roots: [{ hash: "x", spec: "y" }] }), /a root has no hash/],
    [lock({ roots: [{ hash: "d".repeat(32), spec: "y" }] }), /not among the concrete specs/],
    [lock({ concrete_specs: { [hdf5]: node("hdf5", hdf5, [edge("zlib", zlib)]) } }), /zlib/],
    [lock({ concrete_specs: { [hdf5]: node("hdf5", zlib) } }), /says its hash is/],
    [lock({ concrete_specs: { "../x": node("hdf5", hdf5) } }), /is not a hash/],
    [lock({ concrete_specs: { [hdf5]: node("hdf5", hdf5, [edge("hdf5", hdf5)]) } }), /depends on itself/],
  ])("refuses %.30s…", (text, message) =>
    expect(() => readLock(text, "spack.lock")).toThrow(
      expect.objectContaining({
        code: "LOCK_INVALID",
        message: expect.stringMatching(message),
        place: expect.objectContaining({ file: "spack.lock" }),
      }),
    ),
  );

  it("says where JSON breaks", () => {
    expect(() => readLock('{\n  "a": 1,\n  x\n}', "l")).toThrow(
      expect.objectContaining({ place: { file: "l", line: 3, column: 3 } }),
    );
  });

  it("never throws anything but its own errors", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          readLock(text, "l");
        } catch (thrown) {
          expect(thrown).toHaveProperty("code");
        }
      }),
    );
  });
});

describe("lockStaleness", () => {
  it("compares specs, not how they are written, in any order", () => {
    const read = readLock(
      lock({
        roots: [
          { hash: zlib, spec: "zlib+pic~shared" },
          { hash: hdf5, spec: "hdf5+mpi" },
        ],
      }),
      "l",
    );
    expect(lockStaleness(read, environmentOf("hdf5 +mpi", "zlib ~shared +pic"))).toEqual([]);
  });

  it("names what was added and what was removed", () => {
    const stale = lockStaleness(readLock(lock(), "spack.lock"), environmentOf("hdf5~mpi"));
    expect(stale.map(({ code, message }) => `${code} ${message}`)).toEqual([
      "LOCK_STALE the lock has `hdf5+mpi`, the manifest does not",
      "LOCK_STALE the lock does not have `hdf5~mpi`",
    ]);
  });
});

const corpus = new URL("../../../shared/corpus/", import.meta.url);
describe.skipIf(!existsSync(corpus))("locks of real Spack (skipped without ../shared/corpus)", () => {
  it.each(["installed", "installed-v3"])("%s: reads, is fresh, and writes back the same", (folder) => {
    const text = readFileSync(new URL(`${folder}/spack.lock`, corpus), "utf8");
    const read = readLock(text, "spack.lock");
    const manifest = readFileSync(new URL(`${folder}/spack.yaml`, corpus), "utf8");
    const { environment } = readManifest(manifest, "spack.yaml", { dialect: read.dialect });
    expect(environment && lockStaleness(read, environment)).toEqual([]);
    expect(lockDialect(read.graph)).toBe(read.dialect);
    const written = readLock(
      writeLock({ roots: read.roots.map(({ hash, request }) => ({ hash, request })), graph: read.graph }),
      "spack.lock",
    );
    expect(written.lockVersion).toBe(read.lockVersion);
    expect(written.roots).toEqual(read.roots);
    expect([...written.graph].sort()).toEqual([...read.graph].sort());
  });
});
