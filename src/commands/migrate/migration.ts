/** What a migration converts, and what it reports about it. */
import type { ScaffoldBase, ScaffoldRegistry, ScaffoldSpack } from "../../scaffold/types.ts";
import type { Place } from "../../util/errors.ts";

/** Something that is said of a place in the source. */
export interface MigrationFinding {
  /** `taken`: the new repository has it; `changed`: the new repository has it in another way, or does not need it; `todo`: the user has to do it. */
  readonly kind: "taken" | "changed" | "todo";
  readonly message: string;
  readonly place: Place;
}

/** A file beside a definition. */
export interface BesideFile {
  /** Relative to the definition's folder. */
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Whether it is a program. */
  readonly executable?: boolean;
}

/** A container that was found. */
export interface MigratedContainer {
  readonly name: string;
  /** The text of its `spack.yaml`. */
  readonly manifest: string;
  /** Lines of its `Dockerfile.epilogue`; none: it has none. */
  readonly epilogue: readonly string[];
  readonly files: readonly BesideFile[];
}

/** What a source has for a configuration. */
export interface MigratedSettings {
  readonly base: ScaffoldBase | undefined;
  /** OS packages besides the usual ones. */
  readonly osPackages: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  readonly registries: readonly ScaffoldRegistry[];
  readonly spack: ScaffoldSpack | undefined;
  readonly epilogueNetwork: boolean;
  readonly strip: boolean;
}

/** What was made of a source. */
export interface Migration {
  readonly containers: readonly MigratedContainer[];
  readonly settings: MigratedSettings;
  readonly findings: readonly MigrationFinding[];
}

/** Collects findings. */
export interface FindingList {
  readonly findings: readonly MigrationFinding[];
  taken(message: string, place: Place): void;
  changed(message: string, place: Place): void;
  todo(message: string, place: Place): void;
}

/** An empty list. */
export function findingList(): FindingList {
  const findings: MigrationFinding[] = [];
  const add =
    (kind: MigrationFinding["kind"]) =>
    (message: string, place: Place): void =>
      void findings.push({ kind, message, place });
  return { findings, taken: add("taken"), changed: add("changed"), todo: add("todo") };
}
