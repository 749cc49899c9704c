/** What is collected from a Dockerfile while it is read. */
import type { Place } from "../../util/errors.ts";
import type { FindingList, MigratedSettings } from "./migration.ts";
import type { ShellCommand } from "./shellCommands.ts";

/** A file that the Dockerfile puts into a build. */
export type StagedFile = { readonly place: Place } & (
  | { readonly kind: "text"; readonly content: string }
  /** Relative to the build context. */
  | { readonly kind: "context"; readonly path: string }
);

/** An instruction that the finished image may need. */
export interface EpiloguePart {
  readonly keyword: string;
  /** Its physical lines, as they stand in the file. */
  readonly source: readonly string[];
  readonly place: Place;
  /** The folder that it works in. */
  readonly directory: string;
  /** Of a RUN. */
  readonly commands: readonly ShellCommand[];
  /** Files of the build context that it copies. */
  readonly copies: readonly string[];
  /** Where to: absolute, with the `/` of a folder. */
  readonly target: string | undefined;
  /** Whether it stands before the end of the build, so that it matters only for what follows. */
  readonly early: boolean;
}

/** Files that are in the image of the source, and not in the one to be. */
export interface LostFiles {
  /** Absolute path in the image. */
  readonly path: string;
  /** What should have put them there. */
  readonly place: Place;
}

/** What is collected. */
export interface DockerfileDraft {
  readonly list: FindingList;
  readonly specs: string[];
  readonly files: Map<string, StagedFile>;
  readonly environments: string[];
  readonly configuration: { readonly text: string; readonly place: Place }[];
  readonly mirrors: { readonly url: string; readonly place: Place }[];
  readonly osPackages: string[];
  /** OS packages of the last stage that only building needs. */
  readonly buildPackages: { readonly names: readonly string[]; readonly place: Place }[];
  readonly epilogue: EpiloguePart[];
  readonly lost: LostFiles[];
  /** Scripts that only load the environment of Spack: nothing starts them here. */
  readonly dropped: Set<string>;
  spack: MigratedSettings["spack"];
  directory: string;
}
