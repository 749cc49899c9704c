/** A change that a recipe makes to the environment. */

/** Operations of Spack, by its names. */
export type EnvironmentOperation =
  | "set"
  | "unset"
  | "prepend_path"
  | "append_path"
  | "set_path"
  | "append_flags"
  | "remove_flags"
  | "remove_path"
  | "remove_first_path"
  | "remove_last_path"
  | "prune_duplicate_paths"
  | "deprioritize_system_paths";

/** A change of one variable that a recipe makes. */
export interface RecipeModification {
  readonly operation: EnvironmentOperation;
  readonly name: string;
  /** A list for `set_path`; undefined for operations without a value. */
  readonly value: string | readonly string[] | undefined;
  readonly separator: string;
}
