/** What recipes do to the environment, as changes of the image's environment, and what of it is not understood. */
import type { KeptRecipe } from "../archive/inventory.ts";
import { environmentNames } from "../recipes/data/environmentNames.ts";
import type { RecipeEffect, RecipeProblem } from "../recipes/recipeEnvironment.ts";
import type { RecipeModification } from "../recipes/spackEnvironment.ts";
import { standInRecipes } from "../recipes/standInRecipes.ts";
import type { RecipeWorld } from "../recipes/world.ts";
import { briefSpec, type ConcreteSpec } from "../spec/concrete.ts";
import type { EnvironmentModification } from "./environmentModification.ts";

/** Reads recipes: the part that is loaded only when there are any to be read. */
export interface RecipeReader {
  own(spec: ConcreteSpec): RecipeEffect;
  forDependent(spec: ConcreteSpec, dependent: ConcreteSpec): RecipeEffect;
}

/** Opens recipes for the packages of one environment. */
export type OpenRecipes = (world: RecipeWorld) => RecipeReader;

/** Texts of recipes by package. A package's own archive has the recipe that counts. */
export function recipeTexts(
  inventories: Iterable<{ readonly recipes?: readonly KeptRecipe[] }>,
): ReadonlyMap<string, string> {
  const own = new Map<string, string>();
  const others = new Map<string, string>();
  for (const { recipes = [] } of inventories)
    for (const recipe of recipes) {
      const target = recipe.own ? own : others;
      if (!target.has(recipe.name)) target.set(recipe.name, recipe.text);
    }
  return new Map([...standInRecipes, ...others, ...own]);
}

/**
 * Whether any recipe has to be read for the environment.
 * @param packages of the environment, externals too
 */
export function changeEnvironment(
  texts: ReadonlyMap<string, string>,
  packages: Iterable<Pick<ConcreteSpec, "name">>,
): boolean {
  for (const { name } of packages) {
    const text = texts.get(name) ?? "";
    if (
      /\bsetup_(?:dependent_)?run_environment\b|\bIntelOneApi\w*Package\b|\.packages\.|\bspack\.pkg\./.test(
        text,
      )
    )
      return true;
  }
  return false;
}

/** A notice of packages that are known to change the environment and whose archive holds no recipe. */
export function missingRecipes(
  packages: readonly ConcreteSpec[],
  texts: ReadonlyMap<string, string>,
): readonly string[] {
  const missing = packages.filter(({ name }) => !texts.has(name) && environmentNames.has(name));
  if (missing.length === 0) return [];
  const names = missing.slice(0, 10).map(briefSpec).join(", ");
  const more = missing.length > 10 ? ` and ${missing.length - 10} more` : "";
  return [
    `no archive holds the recipe of ${names}${more}: variables that these recipes set for the packages' users are missing; set them by \`env_vars:\` of the manifest`,
  ];
}

/** Names that every shell can set. */
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What one method of a recipe does, in our terms; notices of what cannot be said in them are added to `notices`. */
export function recipeChanges(
  spec: ConcreteSpec,
  { modifications, problems }: RecipeEffect,
  notices: Set<string>,
): readonly EnvironmentModification[] {
  for (const problem of problems) notices.add(problemNotice(problem));
  return modifications.flatMap((modification) => {
    if (variableName.test(modification.name) && !hasNul(modification)) return environmentChange(modification);
    notices.add(
      `the recipe of ${briefSpec(spec)} changes ${JSON.stringify(modification.name)}, which no shell can set`,
    );
    return [];
  });
}

function hasNul({ value }: RecipeModification): boolean {
  return typeof value === "string" ? value.includes("\0") : (value ?? []).some((one) => one.includes("\0"));
}

function environmentChange({
  operation,
  name,
  value,
  separator,
}: RecipeModification): EnvironmentModification[] {
  const list = typeof value === "object" ? value.join(separator) : (value ?? "");
  const entry = { name, value: list, ...(separator === ":" ? {} : { separator }) };
  switch (operation) {
    case "set":
    case "set_path":
      return [{ kind: "set", name, value: list }];
    case "unset":
      return [{ kind: "unset", name }];
    case "prepend_path":
      return [{ kind: "prepend", ...entry }];
    case "append_path":
      return [{ kind: "append", ...entry }];
    case "append_flags":
      return [{ kind: "append", ...entry, verbatim: true }];
    case "remove_flags":
      return [{ kind: "remove", ...entry, verbatim: true }];
    case "remove_path":
    case "remove_first_path":
    case "remove_last_path":
      return [{ kind: "remove", ...entry }];
    // An image's lists have no entry twice, and the system's folders stand last in them.
    case "prune_duplicate_paths":
    case "deprioritize_system_paths":
      return [];
  }
}

/** Says what a recipe does that is not understood, and how to make up for it. */
function problemNotice({ spec, recipe, line, reason, raised }: RecipeProblem): string {
  const own = recipe === spec.name || recipe === "";
  const where = `the recipe of ${briefSpec(spec)}${line === 0 ? "" : `, line ${line}${own ? "" : ` of that of ${recipe}`}`}`;
  return raised
    ? `${where}, fails when it sets up the environment (${reason}); Spack fails there, too, where the files are the same. What it did before is kept; set the rest by \`env_vars:\` of the manifest`
    : `${where}, does something to the environment that is not understood: ${reason}; if a variable is missing, set it by \`env_vars:\` of the manifest (\`env_vars: {set: {NAME: value}}\`)`;
}
