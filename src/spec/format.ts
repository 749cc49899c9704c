/** Prints specs as Spack does. */
import { SpacktainersError } from "../util/errors.ts";
import type { AbstractSpec, Dialect } from "./abstract.ts";
import type { ConcreteSpec } from "./concrete.ts";

/** The spec in Spack's own form, which parses to the same spec. */
export function formatSpec(_spec: AbstractSpec, _dialect: Dialect): string {
  throw new SpacktainersError("NOT_SUPPORTED", "formatSpec is not there yet");
}

/** A node of a concrete DAG in Spack's form, without its dependencies: `zlib@1.2.13%gcc@12.2.0+pic arch=…`. */
export function formatConcrete(_spec: ConcreteSpec): string {
  throw new SpacktainersError("NOT_SUPPORTED", "formatConcrete is not there yet");
}
