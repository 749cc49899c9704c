/** The library: what programs may import from `spacktainers`. Everything else is internal and may change. */

// First: on a Node.js that is too old, what follows fails in ways that say nothing.
import "./util/requireNode.ts";

// Build caches.
export { type CacheSet, openCaches } from "./buildcache/cacheSet.ts";
export type { CachedPackage, CacheIndex, CacheSource } from "./buildcache/types.ts";
export type { BuildResult } from "./commands/build/buildContainer.ts";
export { buildContainers } from "./commands/build/buildContainers.ts";
export { type CheckRequest, type CheckResult, checkDefinitions } from "./commands/check/checkDefinitions.ts";
export { type Examination, type Examined, type ExamineRequest, examine } from "./commands/doctor/examine.ts";
export { type JobRequest, type MadeJob, makeJob } from "./commands/job/makeJob.ts";
export { type ListedContainer, listContainers } from "./commands/list/listContainers.ts";
export { type RunRequest, runContainer } from "./commands/run/runContainer.ts";
// The work itself, as the command line does it.
export {
  type BillOfMaterials,
  type BillRequest,
  billOfMaterials,
} from "./commands/sbom/billOfMaterials.ts";
export { type ListedSif, listSif, verifySifFile } from "./commands/sif/inspectSif.ts";
export {
  type UnpackedEnvironment,
  type UnpackRequest,
  unpackEnvironment,
} from "./commands/unpack/unpackEnvironment.ts";
export type { BrokenDefinition, Container, Definition } from "./definitions/container.ts";
// Spack's environments and locks.
export { loadLock, loadManifest } from "./environment/load.ts";
export type { Environment, Lock } from "./environment/types.ts";
export { type Conversion, type ConvertRequest, convertImage } from "./pipeline/images/convertImage.ts";
export type { BuildRequest } from "./pipeline/workspace/buildRequest.ts";
export type { ContainerOutcome, Outcome } from "./pipeline/workspace/outcomes.ts";
// Spack's specs.
export type { AbstractSpec, Dialect } from "./spec/abstract.ts";
export type { ConcreteEdge, ConcreteSpec, DagHash, SpecGraph } from "./spec/concrete.ts";
export { constrain } from "./spec/constrain.ts";
export { formatConcrete, formatSpec } from "./spec/format.ts";
export { intersects } from "./spec/intersects.ts";
export { parseSpec, parseSpecs } from "./spec/parse.ts";
export { concreteSatisfies, satisfies } from "./spec/satisfies.ts";

// Errors and events.
export {
  type ErrorCode,
  errorCodes,
  type Place,
  SpacktainersError,
  SpacktainersErrors,
} from "./util/errors.ts";
export type { EmitEvent, StageId, TaskKind, WorkEvent } from "./util/events.ts";
