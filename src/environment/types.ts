/** What a `spack.yaml` means: specs and constraints, parsed, each with its place in the user's file. */
import type { Problems } from "../definitions/problems.ts";
import type { AbstractSpec, Dialect } from "../spec/abstract.ts";
import type { DagHash, SpecGraph } from "../spec/concrete.ts";
import type { VersionSet } from "../spec/versions.ts";
import type { Place } from "../util/errors.ts";
import type { PrefixInspection } from "./prefixInspections.ts";

/** A spec as the user wrote it. */
export interface PlacedSpec {
  readonly text: string;
  readonly spec: AbstractSpec;
  /** Of the first character of `text`. */
  readonly place: Place;
}

/** A root of the environment. Of matrices and references: what they expand to, at the place of the list item. */
export interface RequestedSpec extends PlacedSpec {
  /** Spack 1.2: the group it belongs to. */
  readonly group: string | undefined;
}

/** `require:`, `prefer:` and `conflict:` in one form. A plain string is a group of one. */
export interface Requirement {
  /** `one_of`: exactly one holds; `any_of`: at least one, the first being preferred. */
  readonly policy: "one_of" | "any_of";
  readonly options: readonly PlacedSpec[];
  /** Applies only to specs that satisfy this. */
  readonly when: PlacedSpec | undefined;
  readonly message: string | undefined;
  readonly place: Place;
}

/** `prefer:` and `conflict:`. */
export interface ConditionalSpec {
  readonly spec: PlacedSpec;
  readonly when: PlacedSpec | undefined;
  readonly message: string | undefined;
}

/** A package that the system has. */
export interface ExternalPackage {
  readonly spec: PlacedSpec;
  readonly prefix: string | undefined;
  readonly modules: readonly string[];
}

/** An entry of `packages:`; of `all` as well. */
export interface PackageSettings {
  readonly name: string;
  readonly place: Place;
  readonly require: readonly Requirement[];
  readonly prefer: readonly ConditionalSpec[];
  readonly conflict: readonly ConditionalSpec[];
  /** Default values of variants. */
  readonly variants: readonly PlacedSpec[];
  /** Preferred versions, best first. */
  readonly versions: readonly { readonly text: string; readonly set: VersionSet; readonly place: Place }[];
  /** Preferred targets, best first (`all` only). */
  readonly targets: readonly { readonly text: string; readonly place: Place }[];
  /** Preferred compilers, best first (0.x only). */
  readonly compilers: readonly PlacedSpec[];
  /** Preferred providers of virtuals, best first (`all` only). */
  readonly providers: ReadonlyMap<string, readonly PlacedSpec[]>;
  readonly buildable: boolean | undefined;
  readonly externals: readonly ExternalPackage[];
}

/** `concretizer:`, as far as it matters to choosing from caches. */
export interface ConcretizerSettings {
  readonly unify: boolean | "when_possible";
  readonly granularity: "generic" | "microarchitectures" | undefined;
  /** Which cached packages may be taken: those that one of the filters lets through; all when there is none. */
  readonly reuse: readonly ReuseFilter[];
}

/** `include:` and `exclude:` of `concretizer: reuse:`, or of a build cache in its `from:`. */
export interface ReuseFilter {
  /** A package must satisfy one of these, if there are any. */
  readonly include: readonly PlacedSpec[];
  /** A package must not satisfy any of these. */
  readonly exclude: readonly PlacedSpec[];
}

/** A merged view. */
export interface ViewSettings {
  readonly name: string;
  /** As written; undefined for `view: true`: the caller's own place. */
  readonly root: string | undefined;
  readonly link: "all" | "run" | "roots";
  readonly linkType: "symlink" | "hardlink" | "copy";
  readonly select: readonly PlacedSpec[];
  readonly exclude: readonly PlacedSpec[];
  /** In the order of the file: spec, or `all`, to format. */
  readonly projections: readonly Projection[];
  readonly place: Place;
}

/** Format of paths for the specs that satisfy a constraint; `spec` is undefined for `all`. */
export interface Projection {
  readonly spec: PlacedSpec | undefined;
  readonly format: string;
}

/** `config:`, as far as it matters to an image. */
export interface ConfigSettings {
  /** Root of the install tree, as written. */
  readonly installTree: { readonly root: string; readonly place: Place } | undefined;
  readonly paddedLength: number | undefined;
  readonly installHashLength: number | undefined;
  readonly projections: readonly Projection[];
}

/** A mirror named in the manifest. */
export interface MirrorSettings {
  readonly name: string;
  readonly url: string;
  readonly binary: boolean;
  readonly signed: boolean;
  readonly place: Place;
}

/** One change of `env_vars:`, in the order of the file. */
export interface EnvironmentVariableChange {
  readonly action: "set" | "unset" | "prepend_path" | "append_path" | "remove_path";
  readonly variable: string;
  /** Empty for `unset`. */
  readonly value: string;
}

/** An environment. */
export interface Environment {
  /** The manifest. */
  readonly file: string;
  /** Generation of the spec language it was read in. */
  readonly dialect: Dialect;
  readonly specs: readonly RequestedSpec[];
  /** Settings by package or virtual name, `all` left out. */
  readonly packages: ReadonlyMap<string, PackageSettings>;
  readonly all: PackageSettings;
  readonly concretizer: ConcretizerSettings;
  readonly views: readonly ViewSettings[];
  readonly config: ConfigSettings;
  readonly mirrors: readonly MirrorSettings[];
  readonly environmentVariables: readonly EnvironmentVariableChange[];
  /** Which folders of prefixes go to which variables, in order. */
  readonly prefixInspections: readonly PrefixInspection[];
  /** Compilers of the section `compilers`. */
  readonly compilers: readonly PlacedSpec[];
  /** Packages that are built from folders of the user, by name. */
  readonly develop: ReadonlyMap<string, DevelopSettings>;
  /** Environments whose locks are part of this one. Empty when only the manifest was read. */
  readonly included: readonly IncludedEnvironment[];
}

/** An entry of `develop:`. */
export interface DevelopSettings {
  readonly name: string;
  readonly spec: PlacedSpec;
  /** As written, or the name of the package. */
  readonly path: string;
  readonly place: Place;
}

/** A concrete environment of `include_concrete:`. */
export interface IncludedEnvironment {
  /** As written. */
  readonly path: string;
  readonly place: Place;
  /** Roots that no environment before it has. */
  readonly roots: readonly LockRoot[];
  /** At least what the roots need. */
  readonly graph: SpecGraph;
  /** Those that it includes itself. */
  readonly included: readonly IncludedEnvironment[];
}

/** An environment, or what is wrong with its manifest. */
export interface ManifestReading extends Problems {
  /** Undefined when there are errors. */
  readonly environment: Environment | undefined;
  /** Whether the manifest includes other files of configuration. */
  readonly includes: boolean;
}

/** A root of a lock. */
export interface LockRoot {
  readonly hash: DagHash;
  /** As written when the lock was made; a label. */
  readonly request: string;
  readonly group: string | undefined;
}

/** A `spack.lock`. */
export interface Lock {
  readonly file: string;
  readonly lockVersion: number;
  readonly specfileVersion: number;
  readonly dialect: Dialect;
  /** Version of the Spack that wrote it, when it says so. */
  readonly spackVersion: string | undefined;
  /** The environment's own roots. */
  readonly roots: readonly LockRoot[];
  /** Roots of included concrete environments: roots of this environment too. */
  readonly includedRoots: readonly LockRoot[];
  readonly graph: SpecGraph;
}
