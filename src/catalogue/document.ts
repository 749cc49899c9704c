/** `catalogue.json`: the catalogue for programs. Its format has a number; fields are added, never changed. */
import type { ConcreteSpec } from "../spec/concrete.ts";
import { formatConcrete } from "../spec/format.ts";
import type {
  CatalogueContainer,
  CatalogueFacts,
  CatalogueImage,
  CatalogueOrigin,
  ImageChanges,
  SupplyState,
} from "./facts.ts";
import { imagePaths } from "./paths.ts";
import { byNameAndVersion } from "./search/searchData.ts";

/** The marker by which a folder is known to be a catalogue. */
export const catalogueFormat = "spacktainers-catalogue";

/** The file. */
export interface CatalogueDocument {
  readonly format: typeof catalogueFormat;
  readonly version: 1;
  readonly title: string;
  readonly source?: string;
  readonly containers: readonly CatalogueDocumentContainer[];
  /** By name, version, hash; images refer to them by hash. */
  readonly packages: readonly CatalogueDocumentPackage[];
  /** Sources that could not be reached or read. */
  readonly missing: readonly string[];
}

/** A container. */
export interface CatalogueDocumentContainer {
  readonly name: string;
  readonly description?: string;
  readonly specs: readonly string[];
  readonly architectures: readonly string[];
  /** Those of an architecture together, the newest first. */
  readonly images: readonly CatalogueDocumentImage[];
}

/** An image. */
export interface CatalogueDocumentImage {
  readonly origin: CatalogueOrigin;
  readonly version: string;
  readonly arch: string;
  /** Of its page, in the site. */
  readonly path: string;
  readonly repositories: readonly string[];
  readonly tags: readonly string[];
  readonly digest?: string;
  /** Compressed bytes. */
  readonly size?: number;
  readonly updated?: string;
  readonly revision?: string;
  readonly base: string;
  readonly roots: readonly { readonly request: string; readonly hash: string }[];
  /** Hashes, dependents before dependencies. */
  readonly packages: readonly string[];
  readonly externals: readonly string[];
  readonly layers: readonly {
    readonly digest: string;
    readonly size: number;
    readonly role: "base" | "packages" | "top";
    readonly packages: readonly { readonly hash: string; readonly bytes: number }[];
    readonly estimated: boolean;
  }[];
  readonly changes?: ImageChanges;
  readonly supply: SupplyState;
  readonly sites: readonly {
    readonly site: string;
    readonly runtime: string;
    readonly errors: number;
    readonly warnings: number;
    readonly checked: boolean;
  }[];
}

/** A package. */
export interface CatalogueDocumentPackage {
  readonly hash: string;
  readonly name: string;
  readonly version: string;
  /** As Spack prints it, without dependencies. */
  readonly spec: string;
  readonly dependencies: readonly { readonly hash: string; readonly types: readonly string[] }[];
}

/** Makes the document. The same facts give the same one. */
export function catalogueDocument(facts: CatalogueFacts): CatalogueDocument {
  const { title, source, containers, graph, missing } = facts;
  return {
    format: catalogueFormat,
    version: 1,
    title,
    ...(source === undefined ? {} : { source }),
    containers: containers.map(containerDocument),
    packages: [...graph.values()].sort(byNameAndVersion).map(packageDocument),
    missing,
  };
}

function containerDocument(container: CatalogueContainer): CatalogueDocumentContainer {
  const { name, description, specs, architectures, images } = container;
  const paths = imagePaths(container);
  return {
    name,
    ...(description === undefined ? {} : { description }),
    specs,
    architectures,
    images: images.map((image, at) => imageDocument(image, paths[at] ?? "")),
  };
}

function imageDocument(image: CatalogueImage, path: string): CatalogueDocumentImage {
  const { digest, size, updated, revision, changes } = image;
  return {
    origin: image.origin,
    version: image.version,
    arch: image.arch,
    path,
    repositories: image.repositories,
    tags: image.tags,
    ...(digest === undefined ? {} : { digest }),
    ...(size === undefined ? {} : { size }),
    ...(updated === undefined ? {} : { updated }),
    ...(revision === undefined ? {} : { revision }),
    base: image.base.name,
    roots: image.roots,
    packages: image.packages,
    externals: image.externals,
    layers: image.layers,
    ...(changes === undefined ? {} : { changes }),
    supply: image.supply,
    sites: image.sites.map(({ site, runtime, findings }) => ({
      site,
      runtime,
      errors: findings.filter(({ severity }) => severity === "error").length,
      warnings: findings.filter(({ severity }) => severity === "warning").length,
      checked: findings.length > 0,
    })),
  };
}

function packageDocument(spec: ConcreteSpec): CatalogueDocumentPackage {
  return {
    hash: spec.hash,
    name: spec.name,
    version: spec.version,
    spec: formatConcrete(spec),
    dependencies: spec.dependencies.map(({ hash, types }) => ({ hash, types: [...types].sort() })),
  };
}
