import type { Job } from "./job.ts";

/** What to make. */
export interface Shims {
  /** The container's name: that of its module. */
  readonly name: string;
  readonly version: string;
  /** One line for people. */
  readonly description: string;
  /** How the programs are started: image, binds and variables are those of all of them; it has no command. */
  readonly job: Job;
  /** The image's own variables, for runtimes that do not know them. */
  readonly imageEnvironment: readonly (readonly [name: string, value: string])[];
  readonly programs: readonly string[];
  /** Absolute. */
  readonly folder: string;
  /** A module in Lua as well. */
  readonly lmod: boolean;
}
