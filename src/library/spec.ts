/** `spacktainers/spec`: Spack's spec language, locks and environments, and choosing packages. */
import "../util/requireNode.ts";

export { loadLock, loadManifest } from "../environment/load.ts";
export type { Environment, Lock } from "../environment/types.ts";
export type { AbstractSpec, Dialect } from "../spec/abstract.ts";
export { type Closure, runtimeClosure } from "../spec/closure.ts";
export type { ConcreteEdge, ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";
export { constrain } from "../spec/constrain.ts";
export { formatConcrete, formatSpec } from "../spec/format.ts";
export { intersects } from "../spec/intersects.ts";
export { parseSpec, parseSpecs } from "../spec/parse.ts";
export { concreteSatisfies, satisfies } from "../spec/satisfies.ts";
export { type ChoosingOptions, type ChosenPackages, choosePackages } from "./choosePackages.ts";
