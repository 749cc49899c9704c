/**
 * Abstract specs: what a user writes (`hdf5@1.14: +mpi %gcc@12 ^mpich`), parsed. Read-only data.
 *
 * Two dialects share the types. `0.x` is the language of Spack up to 0.23, where `%gcc@12` is an attribute of the node;
 * `1.x` that of Spack 1.0 and later, where `%` is an edge to a direct dependency.
 */
import type { DependencyType } from "./concrete.ts";
import type { VersionSet } from "./versions.ts";

export type { Dialect } from "./dialect.ts";

/**
 * A variant as written. `foo=a,b` has kind `multi` and is not exact: at least these values. `foo:=a,b` (1.x) is exact.
 * `foo=*` has no values. `+foo`, `foo=true` have kind `bool`. `single` occurs only in concrete specs.
 */
export interface VariantConstraint {
  readonly name: string;
  readonly kind: "bool" | "single" | "multi";
  /** For `bool` one boolean; otherwise strings, sorted, each once; empty for `*`. */
  readonly values: readonly (boolean | string)[];
  /** `++foo`, `foo==a`: also wanted on every dependency that has the variant. */
  readonly propagate: boolean;
  /** True if exactly these values are wanted; always true for `bool` and `single`. */
  readonly exact: boolean;
  /** A boolean written as a word (`foo=TRUE`): the word. Only 0.x ever prints it again. */
  readonly word?: string;
}

/** One compiler flag as written, such as `-O3`. */
export interface FlagConstraint {
  readonly flag: string;
  readonly propagate: boolean;
}

/** The six kinds of compiler flags. */
export type FlagKind = "cflags" | "cxxflags" | "fflags" | "ldflags" | "ldlibs" | "cppflags";

/** Parts of `platform-os-target` that were given. */
export interface ArchConstraint {
  readonly platform: string | undefined;
  readonly os: string | undefined;
  /** A microarchitecture, or a comma separated list of names and ranges: `haswell`, `x86_64_v2:,zen2`, `*` (1.x). */
  readonly target: string | undefined;
}

/** 0.x only: `%gcc@12`. */
export interface CompilerConstraint {
  readonly name: string;
  readonly versions: VersionSet;
}

/** An edge as written: `^zlib`, `%c,cxx=gcc`, `^[virtuals=mpi deptypes=link] mpich`. */
export interface AbstractEdge {
  readonly spec: AbstractSpec;
  /** Dependency types asked for; empty when not said. */
  readonly types: ReadonlySet<DependencyType>;
  /** Virtual packages that the dependency must provide, sorted. */
  readonly virtuals: readonly string[];
  /** 1.x: written with `%` or `%%`. */
  readonly direct: boolean;
  /** 1.x: written with `%%`, a preference for the dependencies too. */
  readonly propagation: "none" | "preference";
  /** 1.x: the edge applies only where this holds; undefined means always. */
  readonly when: AbstractSpec | undefined;
}

/** A spec with what is given in it; everything left out is open. */
export interface AbstractSpec {
  /** Undefined for anonymous specs such as `+mpi`. */
  readonly name: string | undefined;
  readonly namespace: string | undefined;
  /** The set of all versions when none are given. */
  readonly versions: VersionSet;
  readonly compiler: CompilerConstraint | undefined;
  readonly variants: ReadonlyMap<string, VariantConstraint>;
  readonly flags: ReadonlyMap<FlagKind, readonly FlagConstraint[]>;
  readonly arch: ArchConstraint | undefined;
  /** Beginning of the hash asked for (`/abc`). */
  readonly hash: string | undefined;
  /** In the order in which their packages were first named. */
  readonly dependencies: readonly AbstractEdge[];
}
