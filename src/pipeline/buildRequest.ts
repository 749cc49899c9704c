import type { EmitEvent } from "../util/events.ts";

/** A command line of `build`. */
export interface BuildRequest {
  readonly directory: string;
  readonly names: readonly string[];
  readonly arch: string | undefined;
  /** `kind:path`; none: an OCI layout in the configured folder. */
  readonly outputs: readonly string[];
  /** Undefined: as configured. */
  readonly strip: boolean | undefined;
  readonly keepMetadata: boolean;
  readonly allowUnresolved: readonly string[];
  readonly force: boolean;
  /** Refuse to build anything else than what the locks say. */
  readonly frozen: boolean;
  readonly caches: readonly string[];
  readonly trust: readonly string[];
  readonly refresh: boolean;
  readonly jobs: number | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}
