import type { SpacktainersError } from "../util/errors.ts";
import type { Architecture } from "./configuration.ts";

/** One container definition. */
export interface Container {
  readonly name: string;
  readonly arch: Architecture;
  /** `spack`: a Spack environment; `def`: an Apptainer definition file. */
  readonly kind: "spack" | "def";
  /** Absolute path of `spack.yaml`, `<name>.yaml` or `<name>.def`. */
  readonly path: string;
  /** Absolute path of the `spack.lock` beside it, if there is one. */
  readonly lock: string | undefined;
  /** Absolute path of the `Dockerfile.epilogue` beside it, if there is one. */
  readonly epilogue: string | undefined;
  /** Absolute path of its smoke tests (`test.yaml` beside `spack.yaml`, `<name>.test.yaml` beside `<name>.yaml`), if there are any. */
  readonly tests: string | undefined;
  /** In a folder that starts with `_`: listed, but not built unless asked for by path. */
  readonly parked: boolean;
}

/**
 * A place among the definitions that no container can be made of: a folder without a `spack.yaml`, a name that no container
 * can have, two definitions of one container. It concerns those who ask for all containers, or for this one by name.
 */
export interface BrokenDefinition {
  readonly kind: "broken";
  readonly name: string;
  /** Undefined where the place tells none. */
  readonly arch: Architecture | undefined;
  /** Absolute path of the file, or of the folder. */
  readonly path: string;
  /** What could be read there nevertheless. */
  readonly container: Container | undefined;
  /** At least one. */
  readonly errors: readonly SpacktainersError[];
}

/** What a command line can ask for. */
export type Definition = Container | BrokenDefinition;
