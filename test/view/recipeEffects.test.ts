import { describe, expect, test } from "vitest";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { parseRecipeRules, type RecipeContext, recipeEffects } from "../../src/view/recipeEffects.ts";
import { dynamicRecipes, recipeRules } from "../../src/view/recipeRules.ts";
import { makeSpec } from "./makeSpec.ts";

describe("the table of recipes", () => {
  test("every line is in the language of rules and no recipe is listed twice", () => {
    for (const [name, text] of recipeRules) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
      for (const rule of parseRecipeRules(text)) expect(rule.variable).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/);
    }
    expect(recipeRules.size).toBeGreaterThan(300);
    expect([...dynamicRecipes].filter((name) => recipeRules.has(name))).toEqual([]);
  });

  test("lines that are not rules are refused", () => {
    for (const text of ["PATH bin", "PATH < bin lib", "PATH < bin exists lib more", "PATH ? bin", "a-b = c"])
      expect(() => parseRecipeRules(text)).toThrow(/not a rule/);
  });
});

describe("what recipes do", () => {
  const python = makeSpec("python", { version: "3.11.2" });
  const numpy = makeSpec("py-numpy", { dependencies: [["python", python.hash]] });
  const context = (existing: readonly string[], satisfied: readonly string[] = []): RecipeContext => ({
    prefixOf: (spec) => `/sw/${spec.name}`,
    dependency: (spec, name) =>
      spec.dependencies.some((edge) => edge.name === name)
        ? [python].find((one) => one.name === name)
        : undefined,
    exists: (path) => existing.includes(path),
    satisfies: (_: ConcreteSpec, constraint) => satisfied.includes(constraint),
  });

  test("folders of dependents are added when they exist", () => {
    const path = "/sw/py-numpy/lib/python3.11/site-packages";
    expect(recipeEffects(python, [numpy], context([]))).toEqual([]);
    expect(recipeEffects(python, [numpy], context([path]))).toEqual([
      { kind: "prepend", name: "PYTHONPATH", value: path },
    ]);
  });

  test("an extension that has python-venv is left to python-venv", () => {
    const venv = makeSpec("python-venv", { dependencies: [["python", python.hash]] });
    const extension = makeSpec("py-x", { dependencies: [["python-venv", venv.hash]] });
    const path = "/sw/py-x/lib/python3.11/site-packages";
    expect(recipeEffects(python, [extension], context([path]))).toEqual([]);
    expect(recipeEffects(venv, [extension], context([path]))).toEqual([
      { kind: "prepend", name: "PYTHONPATH", value: path },
    ]);
  });

  test("conditions, negated ones and several of them", () => {
    const llvm = makeSpec("llvm");
    expect(recipeEffects(llvm, [], context([]))).toEqual([]);
    expect(recipeEffects(llvm, [], context([], ["+clang"])).map((change) => change.name)).toEqual([
      "CC",
      "CXX",
    ]);
    const mvapich = makeSpec("mvapich2");
    const types = (satisfied: string[]) =>
      recipeEffects(mvapich, [], context([], satisfied)).filter((one) => one.name === "SLURM_MPI_TYPE");
    expect(types(["process_managers=slurm", "pmi_version=pmi2"])).toEqual([
      { kind: "set", name: "SLURM_MPI_TYPE", value: "pmi2" },
    ]);
    expect(types(["pmi_version=pmi2"])).toEqual([]);
  });

  test("other separators, texts and versions", () => {
    const lua = makeSpec("lua", { version: "5.3.6" });
    expect(recipeEffects(lua, [], context([]))[0]).toEqual({
      kind: "prepend",
      name: "LUA_PATH",
      separator: ";",
      value: "/sw/lua/share/lua/5.3/?.lua",
    });
    const root = recipeEffects(makeSpec("root"), [], context([]));
    expect(root).toContainEqual({ kind: "set", name: "CLING_STANDARD_PCH", value: "none" });
    expect(recipeEffects(makeSpec("petsc"), [], context([]))).toContainEqual({
      kind: "unset",
      name: "PETSC_ARCH",
    });
  });

  test("a recipe nobody wrote down does nothing", () => {
    expect(recipeEffects(makeSpec("constructor"), [numpy], context([]))).toEqual([]);
  });
});
