/** The library: what programs may import from `spacktainers`. */
export {
  type ErrorCode,
  errorCodes,
  type Place,
  SpacktainersError,
  SpacktainersErrors,
} from "./util/errors.ts";
export type { EmitEvent, WorkEvent } from "./util/events.ts";
