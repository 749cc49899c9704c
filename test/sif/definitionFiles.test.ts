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
mkdirSync(join(folder, "g"));
for (const name of ["a1", "b2", "cc", "x[1].txt", "*", ".hidden"])
  writeFileSync(join(folder, "g", name), name);

async function placed(...copies: readonly [string, string?][]): Promise<Record<string, string>> {
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

  it("expands patterns as a shell does", async () => {
    expect(
      await placed(
        ["[!b-z].txt", "/y/"],
        ["g/[[:alpha:]][0-9]", "/n/"],
        ["g/x[1].txt", "/l/"],
        ["g/\\*", "/s"],
      ),
    ).toEqual({
      "y/a.txt": "file 644",
      "n/a1": "file 644",
      "n/b2": "file 644",
      // Nothing is called x1.txt.
      "l/x[1].txt": "file 644",
      s: "file 644",
      ...app,
    });
    expect(await placed(["g/.*", "/h/"], ["g/?hidden", "/q/"]).catch((error) => error.message)).toContain(
      "`g/?hidden` matches no file",
    );
  });

  it("takes patterns without a target to where each file is", async () => {
    expect(await placed(["[ab].txt"], ["d/sub/o*"])).toEqual({
      "a.txt": "file 644",
      "b.txt": "file 644",
      "d/sub/one": "file 644",
      ...app,
    });
  });

  it("does not take the folder of the definition for a pattern", async () => {
    mkdirSync(join(folder, "p[ab]"));
    writeFileSync(join(folder, "p[ab]/c.txt"), "c");
    const files = [{ source: "*.txt", target: "/x/", place: {} }];
    const entries = await definitionFiles({ files, apps: [] }, join(folder, "p[ab]"), new LayerTree(), 9);
    expect(entries.map(({ path }) => path)).toEqual(["x/c.txt"]);
  });

  it("fills in no variables, and says so", async () => {
    await expect(placed(["$HOME/x", "/x"])).rejects.toMatchObject({
      hint: expect.stringContaining("variables"),
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
      message: expect.stringMatching(/neither a file/),
    });
  });
});
