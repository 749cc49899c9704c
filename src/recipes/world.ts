/** What recipes may know: the graph of packages, their recipes, the files of the image. */
import type { ConcreteSpec, SpecGraph } from "../spec/concrete.ts";
import type { RecipeFiles } from "./files.ts";

export interface RecipeWorld {
  /** May lack nodes that only builds need. */
  readonly graph: SpecGraph;
  /** Packages of the link/run closure, in the order in which they change the environment. */
  readonly order: readonly ConcreteSpec[];
  /** Whether a spec of the graph satisfies a constraint. @throws SpacktainersError for what is no constraint */
  readonly satisfies: (spec: ConcreteSpec, constraint: string) => boolean;
  /** Absolute prefix of a package; undefined when it has none here. */
  readonly prefixOf: (spec: ConcreteSpec) => string | undefined;
  /** Text of the recipe of a package; undefined when it is not at hand. */
  readonly recipeOf: (name: string) => string | undefined;
  readonly files: RecipeFiles;
}
