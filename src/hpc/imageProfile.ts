/** What is known of an image: plain data. */
import type { ContentProfile } from "./contentProfile.ts";
import type { MpiLibrary } from "./mpiLibrary.ts";

/** A Spack package in an image. */
export interface PackageFact {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly target: string;
  /** One of those that were asked for. */
  readonly root: boolean;
}

/** A library that some sites want to bring themselves. */
export interface BundledLibrary {
  /** Without `.so` and version: `libfabric`. */
  readonly name: string;
  readonly path: string;
  readonly soname: string | undefined;
  /** Of the Spack package it belongs to. */
  readonly version: string | undefined;
}

/** Everything `doctor` and `job` want to know of an image; plain data. */
export interface ImageProfile extends ContentProfile {
  readonly architecture: string;
  /** Undefined: nothing in the image says which Spack packages are in it. */
  readonly packages: readonly PackageFact[] | undefined;
  /** The C library in the image. */
  readonly libc: string | undefined;
  /** The file that needs the newest C library. */
  readonly libcNeeded: { readonly version: string; readonly path: string } | undefined;
  readonly mpi: readonly MpiLibrary[];
  readonly bundled: readonly BundledLibrary[];
  /** Libraries of the loader's cache that are called like MPI's; undefined: there is no cache. */
  readonly cachedMpi: readonly CachedMpi[] | undefined;
  /** The cache cannot be read: why. */
  readonly cacheTrouble: string | undefined;
  /** Script of the environment, when it sets LD_LIBRARY_PATH, and whether that keeps the host's libraries. */
  readonly environmentScript: { readonly path: string; readonly keepsHostLibraries: boolean } | undefined;
  /** LD_LIBRARY_PATH of the image's configuration, and of `%environment` where it was made from a definition file. */
  readonly libraryPath: string | undefined;
  /** `mpiexec` in the view. */
  readonly mpiexec: string | undefined;
  /** Programs of those that were asked for, in `bin` of their prefixes. */
  readonly programs: readonly ProgramFact[];
  /** Names of the programs on the search path that are not the base system's: of a view, mostly. */
  readonly commands: readonly string[];
  /** The script of `%test` of a definition file. */
  readonly test: string | undefined;
}

/** A program. */
export interface ProgramFact {
  /** Absolute. */
  readonly path: string;
  readonly package: string;
  /** The dynamic loader it asks for; undefined for scripts and static programs. */
  readonly interpreter: string | undefined;
}

/** A library as Sarus' hook finds it. */
export interface CachedMpi {
  readonly name: string;
  readonly path: string;
  /** What the path leads to; undefined when it leads nowhere. */
  readonly file: string | undefined;
}
