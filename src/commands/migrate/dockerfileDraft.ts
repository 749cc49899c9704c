/** What is collected from a Dockerfile while it is read. */
import type { Place } from "../../util/errors.ts";
import type { FindingList, MigratedSettings } from "./migration.ts";

/** A file that the Dockerfile puts into a build. */
export type StagedFile = { readonly place: Place } & (
  | { readonly kind: "text"; readonly content: string }
  /** Relative to the build context. */
  | { readonly kind: "context"; readonly path: string }
);

/** What is collected. */
export interface DockerfileDraft {
  readonly list: FindingList;
  readonly specs: string[];
  readonly files: Map<string, StagedFile>;
  readonly environments: string[];
  readonly configuration: { readonly text: string; readonly place: Place }[];
  readonly mirrors: { readonly url: string; readonly place: Place }[];
  readonly osPackages: string[];
  readonly epilogue: string[];
  readonly copies: { readonly path: string; readonly place: Place }[];
  /** Scripts that only load the environment of Spack: nothing starts them here. */
  readonly dropped: Set<string>;
  spack: MigratedSettings["spack"];
  directory: string;
}
