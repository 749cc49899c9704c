import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lookUpPath } from "../../src/run/rootView.ts";

const scratch = mkdtempSync(join(tmpdir(), "spacktainers-view-"));
const [low, high] = [join(scratch, "low"), join(scratch, "high")];
const stack = [low, high];

beforeAll(() => {
  for (const path of [
    `${low}/usr/lib`,
    `${low}/opt/a`,
    `${low}/both/low`,
    `${high}/both/high`,
    `${high}/usr`,
  ])
    mkdirSync(path, { recursive: true });
  mkdirSync(join(scratch, "outside"));
  const link = (root: string, path: string, target: string) => symlinkSync(target, join(root, path));
  link(low, "lib", "usr/lib");
  link(low, "out", "../../outside");
  link(low, "absolute", join(scratch, "outside"));
  link(low, "circle", "circle2");
  link(low, "circle2", "/circle");
  link(low, "usr/up", "../opt");
  link(low, "usr/lib/here", ".");
  link(high, "opt", "usr");
  writeFileSync(join(low, "usr/lib/file"), "low");
  writeFileSync(join(high, "both/hidden"), "");
  mkdirSync(join(low, "both/hidden"));
});
afterAll(() => rmSync(scratch, { recursive: true }));

describe("lookUp", () => {
  it.each([
    ["/", "directory", ""],
    ["/usr/lib", "directory", "usr/lib"],
    ["/lib/file", "file", "usr/lib/file"],
    ["lib/here/here/file", "file", "usr/lib/file"],
    ["/both/low", "directory", "both/low"],
    ["/both/high", "directory", "both/high"],
    ["/both/hidden", "file", "both/hidden"],
    // The upper link hides the lower directory.
    ["/opt", "directory", "usr"],
    ["/opt/lib", "directory", "usr/lib"],
    ["/usr/up", "directory", "usr"],
    ["/opt/a", "missing", "usr/a"],
    ["/none/such", "missing", "none/such"],
    ["/out", "missing", "outside"],
    ["/out/x", "missing", "outside/x"],
    ["/lib/../both", "missing", "usr/both"],
    ["/none/../both", "directory", "both"],
  ])("%s is a %s at %s", async (path, kind, found) => {
    expect(await lookUpPath(stack, path)).toMatchObject({ kind, path: found });
  });

  it("takes absolute links as from the root", async () => {
    expect(await lookUpPath(stack, "/absolute")).toMatchObject({
      kind: "missing",
      path: join(scratch, "outside").slice(1),
    });
  });

  it("refuses circles and files in the way", async () => {
    await expect(lookUpPath(stack, "/circle")).rejects.toMatchObject({ code: "USAGE" });
    await expect(lookUpPath(stack, "/lib/file/x")).rejects.toMatchObject({ code: "USAGE" });
  });

  it("never gives a path with links or dots in it", async () => {
    const names = ["..", ".", "", "lib", "usr", "here", "out", "opt", "both", "up", "file", "new"];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...names), { maxLength: 8 }), async (parts) => {
        const found = await lookUpPath(stack, parts.join("/")).catch(() => undefined);
        if (found === undefined) return;
        expect(found.path.split("/").filter((part) => part === ".." || part === ".")).toEqual([]);
        const again = await lookUpPath(stack, found.path);
        expect(again.path).toBe(found.path);
        expect(again.kind).toBe(found.kind);
      }),
    );
  });
});
