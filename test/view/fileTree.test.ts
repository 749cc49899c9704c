import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { baseName, parentPath } from "../../src/archive/names.ts";
import { FileTree, imagePath } from "../../src/view/fileTree.ts";
import { inventory } from "./entries.ts";

describe("paths", () => {
  test("in inventory form", () => {
    expect(imagePath("//opt/view/")).toBe("opt/view");
    expect(imagePath("/")).toBe("");
    expect(parentPath("a/b/c")).toBe("a/b");
    expect(parentPath("a")).toBe("");
    expect(baseName("a/b/c")).toBe("c");
  });
});

describe("a tree of inventories", () => {
  const tree = new FileTree([
    inventory({
      "usr/bin/env": "x",
      "usr/lib/libc.so.6": "x",
      bin: "-> usr/bin",
      lib: "-> usr/lib",
      "usr/lib/up": "-> ../bin/env",
      "usr/lib/absolute": "-> /bin/env",
      "usr/lib/out": "-> ../../../../../usr/bin/env",
      "usr/lib/dots": "-> ./../lib/../lib/libc.so.6",
      "usr/lib/dangling": "-> nowhere",
      "usr/lib/self": "-> self",
      "usr/lib/a": "-> b",
      "usr/lib/b": "-> a",
      "usr/lib/into": "-> into/into",
      "usr/lib/empty": "-> ",
      "usr/lib/hard": "= usr/lib/libc.so.6",
      "usr/lib/harder": "= usr/lib/hard",
    }),
    inventory({ "opt/view": "-> ._view/h", "opt/._view/h/lib/libm.so": "-> /lib/libc.so.6" }),
  ]);

  test.each([
    ["/bin/env", "usr/bin/env"],
    ["bin", "usr/bin"],
    ["/", ""],
    ["/..", ""],
    ["/usr/lib/up", "usr/bin/env"],
    ["/lib/absolute", "usr/bin/env"],
    ["/lib/out", "usr/bin/env"],
    ["/lib/dots", "usr/lib/libc.so.6"],
    ["/bin/../lib/libc.so.6", "usr/lib/libc.so.6"],
    ["/bin/../../usr/./bin//env", "usr/bin/env"],
    ["/opt/view/lib/libm.so", "usr/lib/libc.so.6"],
    ["/lib/dangling", undefined],
    ["/lib/self", undefined],
    ["/lib/a", undefined],
    ["/lib/into", undefined],
    ["/lib/empty", undefined],
    ["/usr/bin/env/x", undefined],
    ["/usr/bin/env/..", undefined],
    [`/${"a/".repeat(5000)}`, undefined],
  ])("%s leads to %s", (path, expected) => {
    expect(tree.resolve(path)?.path).toBe(expected);
    expect(tree.exists(path)).toBe(expected !== undefined);
  });

  test("all names of one file have one identity", () => {
    expect(tree.identity("/lib/harder")).toBe("usr/lib/libc.so.6");
    expect(tree.identity("/opt/view/lib/libm.so")).toBe("usr/lib/libc.so.6");
    expect(tree.identity("/lib/dangling")).toBeUndefined();
  });

  test("lists folders, those that nobody listed too", () => {
    expect(tree.children("")).toEqual(["bin", "lib", "opt", "usr"]);
    expect(tree.children("opt/._view")).toEqual(["h"]);
    expect(tree.children("nothing")).toEqual([]);
    expect(tree.isDirectory("/opt/view/lib")).toBe(true);
  });

  test("later inventories lie over earlier ones", () => {
    const layered = new FileTree([inventory({ "a/x": "1", "a/y": "2", b: "3" })]);
    expect(layered.children("a")).toEqual(["x", "y"]);
    layered.add(inventory({ "a/w": "4", "a/z": "5", "b/c": "6" }));
    expect(layered.children("a")).toEqual(["w", "x", "y", "z"]);
    layered.add(inventory({ a: "now a file" }));
    expect(layered.exists("/a/x")).toBe(false);
    expect(layered.at("a")?.type).toBe("file");
    expect(layered.children("")).toEqual(["a", "b"]);
  });

  test("any tangle of links ends", () => {
    const name = fc.constantFrom("a", "b", "c", "..", ".");
    const path = fc.array(name, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("/"));
    const links = fc.dictionary(fc.constantFrom("a", "b", "c", "d/a", "d/b", "d/e/c"), path, { maxKeys: 6 });
    fc.assert(
      fc.property(links, path, (targets, asked) => {
        const files = Object.fromEntries(Object.entries(targets).map(([at, target]) => [at, `-> ${target}`]));
        const found = new FileTree([inventory(files)]).resolve(asked);
        expect(found === undefined || found.entry.type !== "symlink").toBe(true);
        expect(found?.path ?? "").not.toMatch(/(^|\/)\.\.?(\/|$)/);
      }),
    );
  });
});
