/** What a new repository is made of. */
import type { Architecture } from "../definitions/configuration.ts";

/** A build cache as the new configuration names it. */
export interface ScaffoldCache {
  /** URL, or a path relative to the repository. */
  readonly url: string;
  /** Key files relative to the repository; none: packages need no signatures. */
  readonly trust: readonly string[];
}

/** What lies underneath. */
export interface ScaffoldBase {
  readonly kind: "debian" | "ubuntu" | "image";
  /** A suite, or an image's name. */
  readonly value: string;
  /** OS packages, all of them; undefined: the usual ones. */
  readonly packages: readonly string[] | undefined;
}

/** Where images are published. */
export interface ScaffoldRegistry {
  readonly type: "oci" | "ecr" | "ghcr";
  /** Host, with a path where the registry has one. */
  readonly url: string;
  readonly repository: string;
}

/** A real Spack, with its recipes. */
export interface ScaffoldSpack {
  readonly url: string | undefined;
  readonly ref: string | undefined;
  readonly repos: readonly {
    readonly url: string;
    readonly ref: string | undefined;
    readonly path: string;
  }[];
}

/** What was decided about a new repository. */
export interface ScaffoldAnswers {
  /** The name of its folder, for its README. */
  readonly title: string;
  readonly caches: readonly ScaffoldCache[];
  /** The first cache is a copy of the demonstration's. */
  readonly isDemo: boolean;
  readonly base: ScaffoldBase;
  /** Whose pipelines the repository gets; undefined: none. */
  readonly pipelines: "github" | "gitlab" | undefined;
  /** Whether they publish the catalogue. */
  readonly catalogue: boolean;
  readonly registries: readonly ScaffoldRegistry[];
  /** Labels that images are to have. */
  readonly labels: ReadonlyMap<string, string>;
  /** The Spack that builds what no cache has; undefined: none. */
  readonly spack: ScaffoldSpack | undefined;
  /** Whether the commands of epilogues may use the network. */
  readonly epilogueNetwork: boolean;
  /** Whether debug sections and symbol tables are removed. */
  readonly strip: boolean;
  readonly architectures: readonly Architecture[];
  /** The first container; undefined: none. */
  readonly example: ScaffoldContainer | undefined;
}

/** A container to be defined. */
export interface ScaffoldContainer {
  readonly name: string;
  readonly specs: readonly string[];
  /** What a user may try in it; undefined: nothing is known. */
  readonly command: string | undefined;
}

/** A file to be made. */
export interface ScaffoldFile {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Whether it is to be a program. */
  readonly executable?: boolean;
}
