/** The file of a recipe while it is evaluated. */
import type { Value } from "./values.ts";

/** Where names of a file are found. */
export interface ModuleScope {
  /** Name of the package whose recipe it is. */
  readonly recipe: string;
  readonly names: Map<string, Value>;
  /** What a name is that the file does not define. @throws NotUnderstood, PythonException */
  readonly lookup: (name: string) => Value;
}
