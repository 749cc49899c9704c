/** Virtual packages as Spack's own recipes know them. */
import type { Dialect } from "./abstract.ts";
import type { VirtualKnowledge } from "./specView.ts";

export function builtinVirtuals(_dialect: Dialect): VirtualKnowledge {
  return { isVirtual: (name) => ["mpi", "c", "cxx", "fortran"].includes(name), provides: () => false };
}
