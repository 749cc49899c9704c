/** What one instruction of a Dockerfile does, worked out. */
import type { ModeChange } from "./fileMode.ts";
import type { PathPatterns } from "./ignoreFile.ts";
import type { ImageSettings } from "./imageSettings.ts";
import type { Instruction, Word } from "./instruction.ts";
import type { Mount } from "./mounts.ts";

/** A file whose content is in the Dockerfile. */
export interface InlineFile {
  readonly name: string;
  readonly content: string;
}

/** What COPY and ADD do, its words expanded. */
export interface TransferStep {
  readonly sources: readonly Word[];
  readonly documents: readonly InlineFile[];
  /** Absolute; with its slash at the end when it was written so: then it is a folder. */
  readonly destination: string;
  /** As written. */
  readonly chown: Word | undefined;
  readonly chmod: ModeChange | undefined;
  readonly exclude: PathPatterns | undefined;
  /** What {@link chmod} and {@link exclude} were read from. */
  readonly options: { readonly chmod: string | undefined; readonly exclude: readonly string[] };
}

/** A command to run. */
export interface RunStep {
  readonly argv: readonly [string, ...string[]];
  /** A script to be put at `/run/.pipes/<name>` for it. */
  readonly script: InlineFile | undefined;
  /** ENV and ARG. */
  readonly env: ReadonlyMap<string, string>;
  readonly user: string | undefined;
  readonly workingDirectory: string;
  /** Undefined: not said. */
  readonly network: "default" | "none" | "host" | undefined;
  readonly mounts: readonly Mount[];
}

/** One instruction, worked out. */
export interface Step {
  readonly instruction: Instruction;
  /** After it. */
  readonly settings: ImageSettings;
  /** Variables that it uses and nobody sets. */
  readonly unset: readonly string[];
  /** In a trial: what it changes depends on variables of the image. */
  readonly isUncertain: boolean;
  /** What it changes among the files; undefined: nothing. */
  readonly change:
    | { readonly kind: "directory"; readonly path: string; readonly user: string | undefined }
    | ({ readonly kind: "copy" } & TransferStep)
    | ({
        readonly kind: "add";
        readonly checksum: Word | undefined;
        readonly unpack: boolean | undefined;
      } & TransferStep)
    | ({ readonly kind: "run" } & RunStep)
    | undefined;
}
