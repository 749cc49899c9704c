import { describe, expect, test } from "vitest";
import type { Inventory, InventoryEntry } from "../../src/archive/inventory.ts";
import { parseDpkgStatus } from "../../src/base/dpkgStatus.ts";
import { compareLibcVersions, libcVersionOf, newerLibcHint } from "../../src/base/libc.ts";
import { mergeInventories, splitWhiteouts } from "../../src/base/mergeInventories.ts";

function inventory(...paths: readonly string[]): Inventory {
  return {
    entries: paths.map(
      (path): InventoryEntry =>
        path.endsWith("/")
          ? { path: path.slice(0, -1), type: "directory", mode: 0o755, size: 0 }
          : { path, type: "file", mode: 0o644, size: 1 },
    ),
  };
}

function merged(...layers: readonly (readonly string[])[]): string[] {
  return mergeInventories(layers.map((paths) => splitWhiteouts(inventory(...paths)))).entries.map(
    ({ path }) => path,
  );
}

describe("mergeInventories", () => {
  test("upper layers add and replace", () => {
    expect(merged(["a/", "a/x", "b"], ["a/", "a/y", "b"])).toEqual(["a", "a/x", "a/y", "b"]);
  });

  test("a whiteout deletes a file, or a directory with all below it", () => {
    expect(merged(["a/", "a/x", "a/xy", "b"], ["a/", "a/.wh.x"])).toEqual(["a", "a/xy", "b"]);
    expect(merged(["a/", "a/b/", "a/b/c", "ab"], [".wh.a"])).toEqual(["ab"]);
  });

  test("an opaque directory loses what was in it, not what comes with it", () => {
    expect(merged(["a/", "a/x", "a/b/", "a/b/c", "b"], ["a/", "a/.wh..wh..opq", "a/new"])).toEqual([
      "a",
      "a/new",
      "b",
    ]);
    expect(merged(["a", "b"], [".wh..wh..opq", "c"])).toEqual(["c"]);
  });

  test("a whiteout does not touch its own layer", () => {
    expect(merged(["x"], [".wh.x", "x"])).toEqual(["x"]);
  });

  test("a file in place of a directory takes its content away", () => {
    expect(merged(["a/", "a/x", "a/b/", "a/b/c"], ["a"])).toEqual(["a"]);
  });
});

describe("libc", () => {
  const library = (path: string, versions: readonly string[]): InventoryEntry => ({
    path,
    type: "file",
    mode: 0o755,
    size: 1,
    elf: {
      bits: 64,
      endian: "little",
      machine: 62,
      type: "dynamic",
      needed: [],
      rpath: [],
      runpath: [],
      versionsNeeded: {},
      versionsDefined: versions,
    },
  });

  test("the version of the package, else of the library's symbols", () => {
    const defined = ["GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.28", "GLIBC_2.3.4", "GLIBC_PRIVATE"];
    const files = { entries: [library("usr/lib64/libc.so.6", defined)] };
    const package_ = { name: "libc6", version: "2.36-9+deb12u9", architecture: "amd64" };
    expect(libcVersionOf(files, [package_])).toBe("2.36");
    expect(libcVersionOf(files, [])).toBe("2.28");
    const linked: InventoryEntry = {
      path: "lib/x86_64-linux-gnu/libc.so.6",
      type: "symlink",
      mode: 0o777,
      size: 0,
      target: "libc-2.31.so",
    };
    expect(
      libcVersionOf({ entries: [library("lib/x86_64-linux-gnu/libc-2.31.so", ["GLIBC_2.31"]), linked] }, []),
    ).toBe("2.31");
    expect(libcVersionOf({ entries: [library("opt/libc.so.6", defined)] }, [])).toBeUndefined();
  });

  test("numbers, not text", () => {
    expect(compareLibcVersions("2.9", "2.10")).toBeLessThan(0);
    expect(compareLibcVersions("2.36", "2.36")).toBe(0);
    expect(compareLibcVersions("2.36.1", "2.36")).toBeGreaterThan(0);
  });

  test("names a release that has what is needed", () => {
    expect(newerLibcHint("2.34")).toBe("a base with glibc 2.34 or newer is needed, such as ubuntu: jammy");
    expect(newerLibcHint("2.36")).toMatch(/bookworm/);
    expect(newerLibcHint("9.0")).toBe("a base with glibc 9.0 or newer is needed");
  });
});

test("parseDpkgStatus names what is installed", () => {
  const status = `Package: a
Status: install ok installed
Architecture: amd64
Source: s (1.0)
Version: 1.0+b1

Package: removed
Status: deinstall ok config-files
Architecture: all
Version: 2

Package: incomplete
Status: install ok installed
`;
  expect(parseDpkgStatus(status)).toEqual([
    { name: "a", version: "1.0+b1", architecture: "amd64", source: { name: "s", version: "1.0" } },
  ]);
});
