import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeRootTree, type RootTree } from "../../src/base/rootTree.ts";

function tree(links: Readonly<Record<string, string>>): RootTree {
  const made = makeRootTree();
  for (const [path, target] of Object.entries(links))
    made.set(path, { type: "symlink", owner: undefined, target });
  return made;
}

describe("makeRootTree", () => {
  test("follows links in all components but the last", () => {
    const one = tree({ lib: "usr/lib", "usr/lib/x": "/opt/y", "var/run": "/run", self: "." });
    expect(one.resolve("lib/a/b")).toBe("usr/lib/a/b");
    expect(one.resolve("lib")).toBe("lib");
    expect(one.resolve("lib/x/f")).toBe("opt/y/f");
    expect(one.resolve("var/run/lock")).toBe("run/lock");
    expect(one.resolve("self/self/lib/f")).toBe("usr/lib/f");
  });

  test("never leaves the root", () => {
    const one = tree({ up: "../../../etc", "a/b": "../../../.." });
    expect(one.resolve("up/passwd")).toBe("etc/passwd");
    expect(one.resolve("a/b/f")).toBe("f");
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom("a", "b", "a/b", "c"),
          fc.constantFrom("..", "/", "a", "../b", "/c/..", "b/../.."),
        ),
        fc.constantFrom("a/x", "b/x", "a/b/x", "c/a/b/x"),
        (links, path) => {
          const resolved = tree(links).resolve(path);
          expect(resolved.startsWith("/")).toBe(false);
          expect(resolved.split("/")).not.toContain("..");
          expect(resolved.endsWith("x")).toBe(true);
        },
      ),
    );
  });

  test("stands loops", () => {
    expect(tree({ a: "b", b: "a" }).resolve("a/x")).toMatch(/x$/);
    expect(tree({ a: "a/a" }).resolve("a/x")).toMatch(/x$/);
  });

  test("sees links made later", () => {
    const one = makeRootTree();
    expect(one.resolve("d/x")).toBe("d/x");
    one.set("d", { type: "symlink", owner: undefined, target: "e" });
    expect(one.resolve("d/x")).toBe("e/x");
  });

  test("names missing directories, topmost first", () => {
    const one = makeRootTree();
    one.set("a", { type: "directory", owner: undefined });
    expect(one.missingParents("a/b/c/d")).toEqual(["a/b", "a/b/c"]);
    expect(one.missingParents("x")).toEqual([]);
  });
});
