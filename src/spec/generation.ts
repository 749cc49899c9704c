import type { ConcreteSpec } from "./concrete.ts";
import type { Dialect } from "./dialect.ts";
import { dialectOf } from "./format.ts";

/**
 * The generation of Spack that made a package. A newer Spack may have written its spec file again (as `buildcache migrate`
 * does); the package itself is what it was.
 */
export function generationOf({
  annotations,
  specfileVersion,
}: Pick<ConcreteSpec, "annotations" | "specfileVersion">): Dialect {
  return dialectOf(annotations?.originalSpecfileVersion ?? specfileVersion);
}
