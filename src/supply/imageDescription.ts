/**
 * What the documents of the supply chain are made of: everything that is known of one image, as plain data. Bills of
 * materials, provenance and annotations are pure functions of it.
 */
import type { Platform } from "../archive/oci/types.ts";
import type { OsRelease } from "../base/osRelease.ts";
import type { BasePackage } from "../base/types.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";
import type { Digest } from "../util/digest.ts";

/** One layer of the image. */
export interface LayerDescription {
  /** Of the blob. */
  readonly digest: Digest;
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  readonly mediaType: string;
  /** What it holds: the base, Spack packages, or the view and the environment. */
  readonly role: "base" | "packages" | "top";
  /** Hashes of the packages in it. */
  readonly packages: readonly DagHash[];
}

/** A Spack package in the image. */
export interface PackageDescription {
  readonly spec: ConcreteSpec;
  /** Where it is in the image, absolute; undefined when it is not known. */
  readonly prefix: string | undefined;
  /** The archive it was installed from; undefined when it is not known. */
  readonly archive:
    | {
        readonly digest: Digest;
        /** Bytes. */
        readonly size: number | undefined;
        /** Where it was, without credentials; undefined for caches on a disk. */
        readonly url: string | undefined;
        /** Fingerprint of the OpenPGP key that signed its metadata; undefined when unsigned. */
        readonly signedBy: string | undefined;
      }
    | undefined;
  /** SPDX licence expression, as the recipe has it; undefined when nobody said. */
  readonly license: string | undefined;
}

/** What lies underneath. */
export interface BaseDescription {
  /** For people, such as `debian:bookworm (38 packages)`. */
  readonly name: string;
  /** Of the manifest, when the base is an image. */
  readonly digest: Digest | undefined;
  /** Undefined when nothing says. */
  readonly distribution: OsRelease | undefined;
  /** OS packages; empty when there are none or nothing says. */
  readonly packages: readonly BasePackage[];
}

/** Where the definition was kept. */
export interface SourceDescription {
  /** Repository, without credentials; undefined when it has no public address. */
  readonly url: string | undefined;
  /** The commit that was built; undefined when the files built are in no commit. */
  readonly revision: string | undefined;
  /** The last commit that changed a file of this container; undefined when history does not reach that far. */
  readonly lastChange: string | undefined;
  /** Branch or tag, such as `refs/heads/main`. */
  readonly ref: string | undefined;
  /** The definition, below the repository's root. */
  readonly path: string | undefined;
}

/** Who made the image. Two builds of the same inputs differ in this only. */
export interface BuilderDescription {
  /** URI of the system that ran the build. */
  readonly id: string;
  /** URI or name of the run, where the system has one. */
  readonly invocation: string | undefined;
}

/** A real Spack and its recipes. */
export interface SpackDescription {
  readonly version: string;
  /** Undefined for repositories that have no public address. */
  readonly url: string | undefined;
  /** Undefined for files that are in no commit. */
  readonly commit: string | undefined;
  /** The most preferred first. */
  readonly repositories: readonly {
    readonly namespace: string;
    readonly url: string | undefined;
    readonly commit: string | undefined;
  }[];
  /** The builder image that it ran in; undefined where it ran on the machine itself. */
  readonly builder?: { readonly image: string | undefined; readonly digest: Digest | undefined } | undefined;
}

/** An image whose packages were put on another base. */
export interface RebasedImage {
  /** Of its manifest. */
  readonly digest: Digest;
  /** `host/repository`; undefined for one on a disk or on a registry of this machine. */
  readonly repository: string | undefined;
}

/** The manifest of an image. */
export interface ManifestDescription {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  /** Digest of the configuration. */
  readonly config: Digest;
}

/** Everything known of one image. */
export interface ImageDescription {
  readonly name: string;
  readonly version: string;
  readonly platform: Platform;
  /** What names the image; undefined for one that is not built yet. */
  readonly manifest: ManifestDescription | undefined;
  /** RFC 3339, as in the image's configuration. */
  readonly created: string;
  /** From bottom to top; empty for an image that is not built yet. */
  readonly layers: readonly LayerDescription[];
  readonly roots: readonly { readonly request: string; readonly hash: DagHash }[];
  /** The DAG the packages are part of; build dependencies where known. */
  readonly graph: SpecGraph;
  /** What is in the image, dependents before dependencies. */
  readonly packages: readonly PackageDescription[];
  /** External packages of the closure: those the base has to provide. */
  readonly externals: readonly ConcreteSpec[];
  readonly base: BaseDescription;
  /** Digests of what decided the image; undefined where it is not known. */
  readonly inputs: {
    /** All inputs together, as annotated on the manifest. */
    readonly all: Digest | undefined;
    /** `spack.yaml`. */
    readonly definition: Digest | undefined;
    /** `spack.lock`: what is inside. */
    readonly spackLock: Digest | undefined;
    /** `spacktainers.lock`, where one was kept to. */
    readonly ownLock: Digest | undefined;
    /** `spacktainers.yaml`. */
    readonly configuration: Digest | undefined;
  };
  readonly source: SourceDescription | undefined;
  /** The image that it was made from, of one that was not made from its definition. */
  readonly rebasedFrom?: RebasedImage | undefined;
  /** Undefined when it is not known. */
  readonly builder: BuilderDescription | undefined;
  /** The Spack that chose or built packages for it; undefined where none did, or it is not known. */
  readonly spack?: SpackDescription | undefined;
  /** Version of the program that made the image; undefined when it is not known. */
  readonly toolVersion: string | undefined;
}

/** The description of an image that is built. */
export type BuiltImageDescription = ImageDescription & { readonly manifest: ManifestDescription };

/** The layer a package is in; undefined when nothing says. */
export function layerOf(
  facts: Pick<ImageDescription, "layers">,
  hash: DagHash,
): LayerDescription | undefined {
  return facts.layers.find((layer) => layer.packages.includes(hash));
}
