import type { ResourcesRequest } from "./resources.ts";

/** The part of a command line that all have that work on the repository's containers. */
export interface ContainersRequest extends ResourcesRequest {
  /** Containers' names, paths or globs; none: all. */
  readonly names: readonly string[];
  readonly arch: string | undefined;
  /** The first container that fails stops the others. */
  readonly failFast: boolean;
}

/** The part of a command line that decides what an image is. */
export interface ImageSettingsRequest extends ContainersRequest {
  /** Undefined: as configured. */
  readonly strip: boolean | undefined;
  readonly keepMetadata: boolean;
  readonly allowUnresolved: readonly string[];
  /** Values for ARGs of epilogues, by name. */
  readonly buildArguments: ReadonlyMap<string, string>;
  /** Whether commands of epilogues may use the network; undefined: as configured. */
  readonly epilogueNetwork: boolean | undefined;
  /** Refuse to make anything else than what the locks say. */
  readonly frozen: boolean;
}

/** A command line of `build`. */
export interface BuildRequest extends ImageSettingsRequest {
  /** `kind:path`; none: an OCI layout in the configured folder. */
  readonly outputs: readonly string[];
  readonly force: boolean;
}
