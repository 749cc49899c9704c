/** Why something in a recipe has no value. */

/** Where in which recipe something stands. */
export interface RecipePlace {
  /** Name of the package whose recipe it is; empty when it is not known yet. */
  recipe: string;
  /** Line of the recipe, from 1; 0 when it is not known yet. */
  line: number;
}

/** Something that is not understood here, although Python and Spack may understand it. */
export class NotUnderstood extends Error {
  readonly place: RecipePlace;

  constructor(message: string, line = 0) {
    super(message);
    this.place = { recipe: "", line };
  }
}

/** An exception that Python or Spack would raise. */
export class PythonException extends Error {
  /** Name of the exception's class. */
  readonly type: string;
  readonly place: RecipePlace = { recipe: "", line: 0 };

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

/** Notes where a problem stands, unless a place further inside was noted. */
export function locate(problem: unknown, recipe: string, line: number): void {
  if (!(problem instanceof NotUnderstood || problem instanceof PythonException)) return;
  if (problem.place.line === 0) problem.place.line = line;
  if (problem.place.recipe === "") problem.place.recipe = recipe;
}
