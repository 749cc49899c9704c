/** Everything that a catalogue shows, as plain data: what pages, search data and documents are made of. */
import type { Finding } from "../hpc/finding.ts";
import type { DagHash, SpecGraph } from "../spec/concrete.ts";

/** A whole catalogue. */
export interface CatalogueFacts {
  /** Of the site. */
  readonly title: string;
  /** Address of the repository that the definitions are in; undefined: none that others reach. */
  readonly source: string | undefined;
  /** Where the site will be, without a slash at the end; undefined: it is not known. */
  readonly baseUrl: string | undefined;
  /** In order of their names. */
  readonly containers: readonly CatalogueContainer[];
  /** Every package that is in an image, with what they name, by hash: images refer to it. */
  readonly graph: SpecGraph;
  /** Sources that could not be reached or read, as sentences. */
  readonly missing: readonly string[];
}

/** A container, of whatever architectures. */
export interface CatalogueContainer {
  readonly name: string;
  readonly description: string | undefined;
  /** The specs as written; of a definition file, the image that it starts from. */
  readonly specs: readonly string[];
  /** Images of each architecture together, the newest first; empty for what is neither published, built nor locked. */
  readonly images: readonly CatalogueImage[];
  /** Architectures that have a definition. */
  readonly architectures: readonly string[];
}

/** Where the facts of an image are from. */
export type CatalogueOrigin = "published" | "built" | "locked";

/** One version of a container for one architecture. */
export interface CatalogueImage {
  readonly origin: CatalogueOrigin;
  readonly arch: string;
  readonly version: string;
  /** In registries, the shortest first. */
  readonly tags: readonly string[];
  /** `HOST/PATH` of each registry that has it; empty where it is not published. */
  readonly repositories: readonly string[];
  /** `127.0.0.1:5000`-like hosts that speak plain HTTP. */
  readonly plainHttp: boolean;
  /** Of the manifest; undefined for what is not built. */
  readonly digest: string | undefined;
  /** Path of the layout, below the repository, of what is built here. */
  readonly layout: string | undefined;
  /** Compressed bytes of the image. */
  readonly size: number | undefined;
  /** RFC 3339: when the definition was changed last, as its commit says, else what the image says; undefined: neither does. */
  readonly updated: string | undefined;
  /** Commit that it was made from. */
  readonly revision: string | undefined;
  readonly licenses: string | undefined;
  readonly roots: readonly { readonly request: string; readonly hash: DagHash }[];
  /** What is inside, dependents before dependencies. */
  readonly packages: readonly DagHash[];
  /** What the base has to provide. */
  readonly externals: readonly DagHash[];
  /** From bottom to top. */
  readonly layers: readonly CatalogueLayer[];
  readonly base: {
    readonly name: string;
    /** Undefined: nothing says. */
    readonly packages: readonly { readonly name: string; readonly version: string }[] | undefined;
  };
  /** Compared with the next older image of the architecture; undefined for the oldest. */
  readonly changes: ImageChanges | undefined;
  readonly supply: SupplyState;
  readonly sites: readonly SiteVerdict[];
}

/** A layer. */
export interface CatalogueLayer {
  readonly digest: string;
  /** Compressed bytes. */
  readonly size: number;
  readonly role: "base" | "packages" | "top";
  readonly packages: readonly {
    readonly hash: DagHash;
    /** Its part of the layer's compressed bytes, by the bytes of its files. */
    readonly bytes: number;
  }[];
  /** Nothing says how the layer's bytes are spread over its packages: they are in equal parts. */
  readonly estimated: boolean;
}

/** A package before and after. */
export interface VersionChange {
  readonly name: string;
  /** Undefined if it was added. */
  readonly before: string | undefined;
  /** Undefined if it was removed. */
  readonly after: string | undefined;
  /** The actual change, as text. */
  readonly why: string | undefined;
}

/** In what an image differs from the one before. */
export interface ImageChanges {
  /** Version of the other one. */
  readonly since: string;
  /** In order of names. */
  readonly packages: readonly VersionChange[];
  /** OS packages; undefined if there is no record. */
  readonly base: readonly VersionChange[] | undefined;
  readonly unchanged: number;
}

/** What is attached to an image, and whether it holds. */
export interface SupplyState {
  /** `none`: there is no signature. `unverified`: there is one, but no key is configured to check it. */
  readonly signature: "verified" | "unverified" | "refused" | "none" | "unpublished";
  /** Of keys whose signature holds. */
  readonly signers: readonly string[];
  /** Bills of materials: formats, and whether a trusted key has stated the document. */
  readonly documents: readonly { readonly format: string; readonly attested: boolean }[];
  /** Whether a statement on how it was built is attached, and by a trusted key. */
  readonly provenance: "verified" | "unverified" | "none";
  /** Of the provenance: the builder. */
  readonly builder: string | undefined;
  /** Problems, as sentences. */
  readonly problems: readonly string[];
}

/** Whether an image will run at a site, and how. */
export interface SiteVerdict {
  readonly site: string;
  readonly description: string | undefined;
  readonly runtime: string;
  readonly findings: readonly Finding[];
  /** The batch script; undefined: none can be written. */
  readonly script: string | undefined;
  /** Why there is nothing to say. */
  readonly trouble: string | undefined;
}
