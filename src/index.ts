/** The library: what programs may import from `spacktainers`. Everything else is internal and may change. */

// First: on a Node.js that is too old, what follows fails in ways that say nothing.
import "./util/requireNode.ts";

// The work itself: a method for each verb of the command line.
export type { BuildResult } from "./commands/build/buildContainer.ts";
export type { DoctorResult, Examination } from "./commands/doctor/diagnoseImages.ts";
export type { MadeJob } from "./commands/job/makeJob.ts";
export type { ListedContainer } from "./commands/list/listContainers.ts";
export type { BillOfMaterials } from "./commands/sbom/billOfMaterials.ts";
export type { UnpackedEnvironment } from "./commands/unpack/unpackEnvironment.ts";
export type { BrokenDefinition, Container, Definition } from "./definitions/container.ts";
// Parts that are at home in `spacktainers/spec` and `spacktainers/buildcache`.
export { type CacheSet, openCaches } from "./library/buildcache.ts";
export { openSpacktainers } from "./library/openSpacktainers.ts";
export { resultsOrThrow } from "./library/resultsOrThrow.ts";
export type { Spacktainers, SpacktainersOptions } from "./library/spacktainers.ts";
export * from "./library/spec.ts";
export type { Conversion } from "./pipeline/images/convertImage.ts";
export type { ContainerOutcome, Outcome } from "./pipeline/workspace/outcomes.ts";
// Errors and events.
export {
  type ErrorCode,
  errorCodes,
  type Place,
  SpacktainersError,
  SpacktainersErrors,
} from "./util/errors.ts";
export type { EmitEvent, StageId, TaskKind, WorkEvent } from "./util/events.ts";
