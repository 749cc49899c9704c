/** Why a piece of Python has no value. */

/** The recipe and the line that a problem is about. */
export interface RecipePlace {
  /** Name of the package whose recipe it is; empty while it is not known, and where there is no recipe. */
  recipe: string;
  /** Line of the recipe, from 1; 0 while it is not known. */
  line: number;
}

/** Something that this program does not understand, although Python and Spack may. */
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

/** Notes the place of a problem, unless a place further inside was noted. */
export function locate(problem: unknown, recipe: string, line: number): void {
  if (!(problem instanceof NotUnderstood || problem instanceof PythonException)) return;
  if (problem.place.line === 0) problem.place.line = line;
  if (problem.place.recipe === "") problem.place.recipe = recipe;
}
