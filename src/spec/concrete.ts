/**
 * Concrete specs: what Spack wrote into lockfiles, build cache indexes and spec files, as read-only data.
 * Format: `docs/formats.md`, "Spec files" (spec file versions 3 to 6).
 */

declare const dagHashBrand: unique symbol;

/** Spack's DAG hash: 32 characters of lower-case base32. An opaque identifier, never recomputed. */
export type DagHash = string & { readonly [dagHashBrand]: true };

/** The hash if `text` is one, else undefined. */
export function parseDagHash(text: string): DagHash | undefined {
  return /^[a-z2-7]{32}$/.test(text) ? (text as DagHash) : undefined;
}

/** Why a package depends on another. */
export type DependencyType = "build" | "link" | "run" | "test";

/** Value of a concrete variant: boolean, single, or multi-valued (sorted). */
export type ConcreteVariantValue = boolean | string | readonly string[];

/** An edge of the DAG. */
export interface ConcreteEdge {
  readonly name: string;
  readonly hash: DagHash;
  readonly types: ReadonlySet<DependencyType>;
  /** Virtual packages this dependency provides to the parent (`mpi`, `c`, …). */
  readonly virtuals: readonly string[];
  /** Spec file version ≥ 5: written with `%` (a direct dependency). */
  readonly direct: boolean;
}

/** A node of the DAG: one configuration of one package. */
export interface ConcreteSpec {
  readonly name: string;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly hash: DagHash;
  readonly platform: string;
  readonly os: string;
  /** Microarchitecture name, such as `x86_64_v3`. */
  readonly target: string;
  /** Spec file version ≤ 4 only: the compiler as an attribute of the node. */
  readonly compiler: { readonly name: string; readonly version: string } | undefined;
  readonly variants: ReadonlyMap<string, ConcreteVariantValue>;
  /** `cflags`, `cxxflags`, `cppflags`, `fflags`, `ldflags`, `ldlibs`. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** Set for packages that are not Spack's own: found on the system at this path. */
  readonly external: { readonly path: string | undefined; readonly modules: readonly string[] } | undefined;
  readonly packageHash: string | undefined;
  readonly dependencies: readonly ConcreteEdge[];
  /** Spliced: the binary in the cache is the one of this spec. */
  readonly buildSpec: { readonly name: string; readonly hash: DagHash } | undefined;
  /** Spec file version ≥ 6. */
  readonly providedVirtuals: readonly string[] | undefined;
  /** Version of the spec file the node was first written in, and the compiler it then had (≥ 5 only). */
  readonly annotations:
    | { readonly originalSpecfileVersion: number; readonly compiler: string | undefined }
    | undefined;
  /** Version of the spec file format this node was read in (3 to 6). */
  readonly specfileVersion: number;
}

/** Nodes by hash; always closed under the edges that were read (dangling edges are an error of the reader). */
export type SpecGraph = ReadonlyMap<DagHash, ConcreteSpec>;

/** `name@version/abcdefg`: how a concrete spec is named to people. */
export function briefSpec(spec: Pick<ConcreteSpec, "name" | "version" | "hash">): string {
  return `${spec.name}@${spec.version}/${spec.hash.slice(0, 7)}`;
}
