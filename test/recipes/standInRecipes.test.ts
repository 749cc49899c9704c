import { describe, expect, test } from "vitest";
import { RecipeEnvironment } from "../../src/recipes/recipeEnvironment.ts";
import { standInRecipes } from "../../src/recipes/standInRecipes.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { recipeFiles } from "../../src/view/recipeFiles.ts";
import { specTester } from "../../src/view/specTester.ts";
import { makeSpec } from "../view/makeSpec.ts";

/** What the recipe of a package sets, each as `operation NAME value`. */
function environmentOf(name: string, options: Parameters<typeof makeSpec>[1]): readonly string[] {
  const spec = makeSpec(name, options);
  const graph = new Map([[spec.hash, spec]]);
  const { modifications, problems } = new RecipeEnvironment({
    graph,
    order: [spec],
    satisfies: specTester(graph),
    prefixOf: () => "/sw",
    recipeOf: (asked) => standInRecipes.get(asked),
    files: recipeFiles(new FileTree([{ entries: [] }])),
  }).own(spec);
  expect(problems).toEqual([]);
  return modifications.map(({ operation, name: variable, value }) => `${operation} ${variable} ${value}`);
}

// As `setup_run_environment` of the same packages does in the recipes of Spack 0.23 (and, but for MPICXX, of spack-packages v2025.11.0).
describe("recipes of packages whose archive holds none", () => {
  test.each([
    [
      "netcdf-c",
      { version: "4.9.0", variants: [["shared", true]] },
      ["append_path HDF5_PLUGIN_PATH /sw/plugins"],
    ],
    ["netcdf-c", { version: "4.8.1", variants: [["shared", true]] }, []],
    ["hdf5", { version: "1.14.3" }, ["append_path LD_LIBRARY_PATH /sw/lib"]],
    [
      "mpich",
      { version: "4.2.2" },
      [
        "set MPICC /sw/bin/mpicc",
        "set MPICXX /sw/bin/mpic++",
        "set MPIF77 /sw/bin/mpif77",
        "set MPIF90 /sw/bin/mpif90",
      ],
    ],
    [
      "openmpi",
      { version: "5.0.5" },
      [
        "set MPICC /sw/bin/mpicc",
        "set MPICXX /sw/bin/mpic++",
        "set MPIF77 /sw/bin/mpif77",
        "set MPIF90 /sw/bin/mpif90",
        "set MPIFC /sw/bin/mpifort",
      ],
    ],
    [
      "r",
      { version: "4.4.1", variants: [["rmath", true]] },
      [
        "prepend_path LD_LIBRARY_PATH /sw/rlib/R/lib",
        "prepend_path PKG_CONFIG_PATH /sw/rlib/pkgconfig",
        "set R_HOME /sw/rlib/R",
        "prepend_path LD_LIBRARY_PATH /sw/rlib",
      ],
    ],
  ] as const)("%s %j", (name, options, expected) => {
    expect(environmentOf(name, options)).toEqual(expected);
  });
});
