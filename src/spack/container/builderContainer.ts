/** A builder image: where Spack's processes run instead of on this machine itself, with the same paths. */
import type { BuilderEngine } from "../../definitions/executorNames.ts";
import type { Bind } from "../../run/types.ts";
import type { Digest } from "../../util/digest.ts";
import type { Python } from "../python.ts";

/** A command line that is to run in the container. */
export interface InnerCommand {
  readonly argv: readonly [string, ...string[]];
  /** What goes over the image's own variables. */
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Shown at the same paths, besides what every command sees. What is not there is left out. */
  readonly paths?: readonly string[] | undefined;
  /** What it says goes to one place, in its order; otherwise as it says it, to two. */
  readonly oneStream?: boolean;
  /** Whether a person sits at it. */
  readonly tty?: boolean;
}

/** A command line that runs another one in the container. */
export interface OuterCommand {
  readonly argv: readonly [string, ...string[]];
  /** What has to be set for it, besides what its engine needs. */
  readonly variables: NodeJS.ProcessEnv;
  /** See `Step`. */
  readonly cleanup: readonly [string, ...string[]] | undefined;
}

/** A builder image that is ready to run commands. */
export interface BuilderContainer {
  readonly engine: BuilderEngine;
  /** As it was asked for. */
  readonly image: string;
  /** Changes when the image's contents do. */
  readonly id: string;
  /**
   * What it can be found by elsewhere: the digest of the image in the engine's store, or of the SIF file that is run. Undefined for a
   * directory, and where the engine does not say.
   */
  digest(): Promise<Digest | undefined>;
  /** Its Python, by its path inside. */
  readonly python: Python;
  /** Whether processes in it are below ours, so that what they take can be seen. */
  readonly isBelow: boolean;
  /** Whether other machines that share our folders can run it as well. */
  readonly isShared: boolean;
  /** The command line that runs another one in it, with everything that it started going when it goes. */
  wrap(command: InnerCommand): OuterCommand;
  /** Removes what was made to run it. */
  close(): Promise<void>;
}

/** What every command sees of this machine, at the same paths. */
export interface BuilderPlaces {
  /** Folder with everything of Spack's, which it writes to. */
  readonly home: string;
  /** Folder that it may write temporary files to, below `home`. */
  readonly temporary: string;
  /** Folders to read: git repositories, recipes, mirrors. */
  readonly read: readonly string[];
}

/** The binds of a command: everything below `home` is seen through it. */
export function builderBinds({ home, read }: BuilderPlaces, paths: readonly string[]): readonly Bind[] {
  const below = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
  const wanted = [...new Set([...read, ...paths])].filter((path) => !below(path, home)).sort();
  const binds: Bind[] = [{ source: home, target: home, readOnly: false }];
  for (const path of wanted)
    if (!binds.some(({ target, readOnly }) => readOnly && below(path, target)))
      binds.push({ source: path, target: path, readOnly: true });
  return binds;
}
