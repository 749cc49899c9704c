/** The instructions of a Dockerfile, read but not expanded: words may have variables and quotes in them. */
import type { Heredoc } from "./heredocs.ts";

/** A word of an instruction, and where it stands in the file. */
export interface Word {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** A name with a value, as in `ENV NAME=value`. */
export interface Assignment {
  readonly name: Word;
  readonly value: string;
}

/** A command: words to execute as they are, or a line for the shell. */
export type CommandLine =
  | { readonly form: "exec"; readonly arguments: readonly string[] }
  | { readonly form: "shell"; readonly line: string; readonly heredocs: readonly Heredoc[] };

/** What COPY and ADD copy, and where to. */
export interface Transfer {
  readonly sources: readonly Word[];
  /** Files whose content is in the Dockerfile. */
  readonly documents: readonly Heredoc[];
  readonly destination: Word;
  readonly chown: Word | undefined;
  readonly chmod: Word | undefined;
  /** Patterns of what is left out. */
  readonly exclude: readonly Word[];
}

/** What `RUN --mount=…` asks for, its fields read. */
export interface MountRequest {
  readonly word: Word;
  readonly fields: ReadonlyMap<string, string>;
}

/** Where an instruction stands. */
export interface InstructionPlace {
  /** As written, in capitals. */
  readonly keyword: string;
  readonly line: number;
  readonly column: number;
  /** Of its last physical line. */
  readonly endLine: number;
  /** Its text without the keyword, joined to one line. */
  readonly text: string;
}

/** One instruction. */
export type Instruction = InstructionPlace &
  (
    | { readonly kind: "env" | "label"; readonly assignments: readonly Assignment[] }
    | {
        readonly kind: "arg";
        readonly arguments: readonly { readonly name: Word; readonly value: string | undefined }[];
      }
    | { readonly kind: "workdir" | "user" | "stopsignal" | "maintainer"; readonly value: Word }
    | { readonly kind: "cmd" | "entrypoint"; readonly command: CommandLine }
    | {
        readonly kind: "run";
        readonly command: CommandLine;
        readonly network: "default" | "none" | "host" | undefined;
        readonly mounts: readonly MountRequest[];
      }
    | { readonly kind: "shell"; readonly shell: readonly string[] }
    | { readonly kind: "expose" | "volume"; readonly values: readonly Word[] }
    | ({ readonly kind: "copy" } & Transfer)
    | ({
        readonly kind: "add";
        readonly checksum: Word | undefined;
        readonly unpack: boolean | undefined;
      } & Transfer)
    | { readonly kind: "healthcheck-none" }
  );
