/** Whatever runs the commands of a Dockerfile: our own sandbox, or a container engine. */
import type { EntryStream } from "../archive/entry.ts";
import type { IdMap } from "../run/idMap.ts";
import type { LayerSource } from "../run/ownedLayers.ts";

/** Something that a command sees and the image has not. */
export interface CommandMount {
  /** Absolute, on this machine; undefined: a file system in memory. */
  readonly source: string | undefined;
  /** Absolute, in the container, free of links. */
  readonly target: string;
  /** The source is a file, not a directory. */
  readonly isFile: boolean;
  readonly readOnly: boolean;
  /** Bytes; of a file system in memory. */
  readonly size: number | undefined;
}

/** A command on an image. */
export interface Command {
  /** From bottom to top. */
  readonly layers: readonly LayerSource[];
  readonly architecture: "amd64" | "arm64";
  readonly argv: readonly [string, ...string[]];
  readonly env: ReadonlyMap<string, string>;
  readonly user: string | undefined;
  readonly workingDirectory: string;
  readonly network: "host" | "none";
  readonly mounts: readonly CommandMount[];
  /** Whether a path, absolute and free of links, is in the image: as a directory, as something else, or not. */
  readonly kindOf: (path: string) => "directory" | "file" | undefined;
  readonly onOutput: (chunk: Buffer) => void;
}

/** What became of a command. */
export interface CommandResult {
  readonly status: number;
  readonly users: IdMap["kind"];
  /** What it changed, as a layer. To be read once. */
  changes(): EntryStream;
  close(): Promise<void>;
}

/** Runs commands. */
export interface CommandRunner {
  readonly name: string;
  run(command: Command): Promise<CommandResult>;
}
