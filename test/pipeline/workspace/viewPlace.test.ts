import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  holdsPath,
  refuseHidingView,
  refuseReplacingOthers,
} from "../../../src/pipeline/workspace/viewPlace.ts";
import { FileTree } from "../../../src/view/fileTree.ts";

describe("holdsPath", () => {
  it.each([
    ["/opt", "/opt/software", true],
    ["/opt/software/", "/opt/software", true],
    ["/", "/opt/software", true],
    ["/opt/soft", "/opt/software", false],
    ["/opt/software/view", "/opt/software", false],
  ])("%s, %s: %s", (outer, inner, holds) => expect(holdsPath(outer, inner)).toBe(holds));
});

describe("a view in an image", () => {
  const entry = (path: string, type: "file" | "directory" | "symlink") => ({
    path,
    type,
    mode: 0o755,
    size: 0,
  });
  const tree = new FileTree([
    { entries: [entry("usr/bin/ls", "file"), entry("srv", "directory"), entry("old", "symlink")] },
  ]);
  it("is not where it would hide files", () => {
    for (const path of ["/usr", "/usr/bin/ls"])
      expect(() => refuseHidingView(tree, path, {})).toThrow(
        expect.objectContaining({ code: "VIEW_CONFLICT" }),
      );
    for (const path of ["/opt/view", "/srv", "/old"]) refuseHidingView(tree, path, {});
  });
});

describe("a view among plain files", () => {
  const root = "/opt/software";
  const hash = "yv5ulaahn2e7mwgzzhohe76j3evokl6h";
  let folder: string;
  const at = (path: string): string => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    return join(folder, path);
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "spacktainers-view-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("takes the place of nothing, of an empty directory, and of a view", async () => {
    await refuseReplacingOthers(join(folder, "missing"), root);
    await refuseReplacingOthers(folder, root);
    symlinkSync(`${root}/ring/bin/ring`, at("bin/ring"));
    symlinkSync("ring", at("bin/again"));
    symlinkSync(`/elsewhere/ring-1.0.0-${hash}/lib/libring.so`, at("lib/libring.so"));
    writeFileSync(at("bin/pyring"), "#!");
    writeFileSync(at("pyvenv.cfg"), "");
    writeFileSync(at(".spack/ring/spec.json"), "{}");
    writeFileSync(at("share/a"), "");
    linkSync(at("share/a"), at("share/b"));
    await refuseReplacingOthers(folder, root);
  });

  it.each([
    ["a file", (): void => writeFileSync(at("data/f"), "")],
    ["a link that no view has", (): void => symlinkSync("/etc/passwd", at("data/f"))],
  ])("does not take the place of a directory with %s", async (_, put) => {
    symlinkSync(`${root}/ring/bin/ring`, at("bin/ring"));
    put();
    await expect(refuseReplacingOthers(folder, root)).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
      message: expect.stringContaining("data/f"),
    });
    expect(readdirSync(folder).sort()).toEqual(["bin", "data"]);
  });
});
