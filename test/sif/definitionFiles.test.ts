import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { definitionFiles } from "../../src/sif/definitionFiles.ts";
import { LayerTree } from "../../src/sif/layerTree.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-deffiles-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, "d/sub"), { recursive: true });
writeFileSync(join(folder, "d/sub/one"), "1");
writeFileSync(join(folder, "d/run"), "2", { mode: 0o750 });
symlinkSync("sub/one", join(folder, "d/link"));
writeFileSync(join(folder, "a.txt"), "a", { mode: 0o600 });
writeFileSync(join(folder, "b.txt"), "b");

async function placed(...copies: readonly [string, string][]): Promise<Record<string, string>> {
  const tree = new LayerTree();
  tree.apply({ path: "opt/there", type: "directory", mode: 0o700, mtime: 0 }, 0, 0);
  tree.apply({ path: "lib", type: "symlink", mode: 0o777, mtime: 0, target: "opt/there" }, 0, 1);
  const files = copies.map(([source, target]) => ({ source, target, place: { file: "x.def", line: 3 } }));
  const app = { name: "app", labels: new Map(), files: [{ source: "b.txt", target: "bin/b", place: {} }] };
  const entries = await definitionFiles({ files, apps: [app] }, folder, tree, 9);
  expect(entries.every(({ mtime }) => mtime === 9)).toBe(true);
  return Object.fromEntries(entries.map(({ path, type, mode }) => [path, `${type} ${mode.toString(8)}`]));
}

const app = { "scif/apps/app/bin/b": "file 644" };

describe("definitionFiles", () => {
  it("places files as cp does, links followed, without this machine's modes and times", async () => {
    expect(
      await placed(["a.txt", "a.txt"], ["d", "/opt/d"], ["d/run", "/opt/there"], ["a.txt", "/lib"]),
    ).toEqual({
      "a.txt": "file 644",
      "opt/d": "directory 755",
      "opt/d/link": "file 644",
      "opt/d/run": "file 755",
      "opt/d/sub": "directory 755",
      "opt/d/sub/one": "file 644",
      "opt/there/run": "file 755",
      "lib/a.txt": "file 644",
      ...app,
    });
  });

  it("expands patterns, into a directory", async () => {
    expect(await placed(["*.txt", "/opt/new"], ["d/s?b/one", "/x/"])).toEqual({
      "opt/new/a.txt": "file 644",
      "opt/new/b.txt": "file 644",
      "x/one": "file 644",
      ...app,
    });
  });

  it.each([
    ["no.txt", "/x", /is not there/],
    ["*.no", "/x", /matches no file/],
    ["a.txt", "/../x", /leads out/],
  ])("refuses %s to %s", async (source, target, message) => {
    await expect(placed([source, target])).rejects.toMatchObject({
      code: "DEFINITION_INVALID",
      message: expect.stringMatching(message),
      place: { file: "x.def", line: 3 },
    });
  });

  it("refuses a directory that has itself in it, and devices", async () => {
    mkdirSync(join(folder, "loop"));
    symlinkSync("..", join(folder, "loop/up"));
    await expect(placed(["loop", "/x"])).rejects.toMatchObject({
      message: expect.stringMatching(/it is in/),
    });
    await expect(placed(["/dev/null", "/x"])).rejects.toMatchObject({
      message: expect.stringMatching(/no file/),
    });
  });
});
