import { RecipeEnvironment } from "../../src/recipes/recipeEnvironment.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { recipeFiles } from "../../src/view/recipeFiles.ts";
import { specTester } from "../../src/view/specTester.ts";
import { makeSpec } from "../view/makeSpec.ts";

export interface Given {
  /** Dependencies before dependents. */
  readonly specs: readonly ConcreteSpec[];
  readonly recipes: Readonly<Record<string, string>>;
  readonly files?: readonly GivenFile[];
}

/** A file by its path, also with its text. */
export type GivenFile = string | { readonly path: string; readonly text: string };

export function open({ specs, recipes, files = [] }: Given): RecipeEnvironment {
  const graph = new Map(specs.map((spec) => [spec.hash, spec]));
  const entries = files.map((file) => {
    const named = typeof file === "string" ? { path: file } : file;
    return { ...named, type: "file", mode: 0o644, size: 0 } as const;
  });
  return new RecipeEnvironment({
    graph,
    order: specs,
    satisfies: specTester(graph),
    prefixOf: (spec) => `/sw/${spec.name}`,
    recipeOf: (name) => recipes[name],
    files: recipeFiles(new FileTree([{ entries }])),
  });
}

/** A recipe with this body of `setup_run_environment`, and more in the class and before it. */
export function recipe(body: string, members = "", before = ""): string {
  const lines = body
    .trim()
    .split("\n")
    .map((line) => `        ${line}`);
  return `from spack.package import *\n${before}\n\nclass Tool(Package):\n    size = "big"\n${members}\n    def setup_run_environment(self, env):\n${lines.join("\n")}\n`;
}

export const tool = makeSpec("tool", {
  version: "10.2.7-rc1",
  variants: [
    ["mpi", true],
    ["kind", "plain"],
  ],
});

/** What a body sets, as `NAME=value`, and what was not understood, as `line: reason`. */
export function run(text: string, files: readonly GivenFile[] = [], spec = tool) {
  const { modifications, problems } = open({ specs: [spec], recipes: { tool: text }, files }).own(spec);
  return {
    set: modifications.map(({ operation, name, value, separator }) =>
      operation === "set"
        ? `${name}=${value}`
        : `${operation} ${name} ${value ?? ""}${separator === ":" ? "" : ` by ${separator}`}`,
    ),
    problems: problems.map(({ line, reason, raised }) => `${raised ? "raised " : ""}${line}: ${reason}`),
  };
}
