/** Which recipes of an archive are kept beside the inventory of a package. */
import type { KeptRecipe } from "../archive/inventory.ts";

/** A recipe in an archive. */
export interface RecipeFile {
  /** Name of its folder. */
  readonly folder: string;
  readonly text: string;
}

/** Longest recipe that is kept, in bytes; the longest of Spack's builtin repository has a quarter of it. */
export const maxRecipeBytes = 256 * 1024;
/** Most recipes that one archive is looked through for. */
export const maxRecipes = 5000;
/** Most recipes that are kept of one archive. */
const maxKept = 50;

/** Where Spack keeps the recipes of a package and of what it was built with. */
const recipePath = /\/\.spack\/repos\/(?:[^/]+\/){1,4}packages\/([A-Za-z0-9_-]+)\/package\.py$/;

/** The folder that a path of an archive is the recipe in, or undefined if it is not one. */
export function recipeFolder(path: string): string | undefined {
  return recipePath.exec(path)?.[1];
}

/** Folders of recipes have names of their own for packages with a dash or a first digit. */
const normal = (name: string): string => name.replace(/^_(?=\d)/, "").replaceAll("_", "-");

/**
 * The recipe of the package itself, those of the externals it depends on, and those that these import.
 * @param files the recipes of the archive by folder
 */
export function keptRecipes(
  files: readonly RecipeFile[],
  name: string,
  externals: readonly string[],
): readonly KeptRecipe[] {
  const byName = new Map(files.map((file) => [normal(file.folder), file.text]));
  const wanted = new Set([name, ...externals].map(normal));
  const kept: KeptRecipe[] = [];
  for (const one of wanted) {
    const text = byName.get(one);
    if (text === undefined || kept.length >= maxKept) continue;
    kept.push({ name: one === normal(name) ? name : one, own: one === normal(name), text });
    for (const [, folder = ""] of text.matchAll(/\b(?:spack_repo\.\w+\.packages|spack\.pkg\.\w+)\.(\w+)/g))
      wanted.add(normal(folder));
  }
  return kept;
}

/**
 * Which files of a package its recipes may source (`EnvironmentModifications.from_sourcing_file`): those whose names stand
 * in such a recipe. What they do to the environment is read from their text.
 * @returns whether a path below the prefix is one of them
 */
export function sourcedFiles(recipes: readonly KeptRecipe[]): (path: string) => boolean {
  const texts = recipes.filter(({ text }) => text.includes("from_sourcing_file")).map(({ text }) => text);
  if (texts.length === 0) return () => false;
  const words = new Set(texts.flatMap((text) => text.match(/[\w.+-]{3,}/g) ?? []));
  return (path) => words.has(path.slice(path.lastIndexOf("/") + 1));
}
