import { describe, expect, test } from "vitest";
import { keptRecipes, recipeFolder, sourcedFiles } from "../../src/install/keptRecipes.ts";

const files = [
  { folder: "py_tool", text: "from spack_repo.own.packages.base_tool.package import BaseTool" },
  { folder: "base_tool", text: "from spack.pkg.builtin._7root import Root" },
  { folder: "_7root", text: "root" },
  { folder: "openmpi", text: "mpi" },
  { folder: "zlib", text: "zlib" },
];

describe("recipes that are kept of an archive", () => {
  test("where they lie, in the layouts of all versions", () => {
    expect(recipeFolder("/opt/x/.spack/repos/builtin/packages/zlib/package.py")).toBe("zlib");
    expect(recipeFolder("/opt/x/.spack/repos/spack_repo/own/packages/py_tool/package.py")).toBe("py_tool");
    expect(recipeFolder("/opt/x/.spack/repos/builtin/packages/zlib/fix.patch")).toBeUndefined();
    expect(recipeFolder("/opt/x/share/repos/builtin/packages/zlib/package.py")).toBeUndefined();
  });

  test("its own, those of externals, and what these import", () => {
    const kept = keptRecipes(files, "py-tool", ["openmpi", "curl"]);
    expect(kept.map(({ name, own }) => [name, own])).toEqual([
      ["py-tool", true],
      ["openmpi", false],
      ["base-tool", false],
      ["7root", false],
    ]);
    expect(kept[0]?.text).toContain("BaseTool");
  });

  test("an archive without recipes has none", () => {
    expect(keptRecipes([], "zlib", [])).toEqual([]);
  });

  test("scripts that recipes source are known by their names", () => {
    const sourced = sourcedFiles([
      { name: "tool", own: true, text: 'from_sourcing_file(join_path(self.prefix.bin, "tool-vars.sh"))' },
    ]);
    expect(["bin/tool-vars.sh", "tool-vars.sh", "bin/tool", "bin/x", "etc/vars.csh"].map(sourced)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(sourcedFiles([{ name: "tool", own: true, text: '"vars.sh"' }])("vars.sh")).toBe(false);
  });
});
