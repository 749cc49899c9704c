/** What a catalogue shows of one image: published, built here, or only locked. */
import { join, relative } from "node:path";
import { baseCacheDirectory } from "../../base/baseStore.ts";
import type { CatalogueImage, SiteVerdict } from "../../catalogue/facts.ts";
import type { Container } from "../../definitions/container.ts";
import type { Repository } from "../../definitions/repository.ts";
import { assemblyAnnotation, baseKeyAnnotation, layerPackagesAnnotation } from "../../image/annotations.ts";
import { openFragmentStore } from "../../image/fragmentStore.ts";
import { type OciImage, storedSize } from "../../image/image.ts";
import { isRegistryImage, type RegistryImage } from "../../image/openRegistryImage.ts";
import { recordedDescription } from "../../pipeline/describe/describeImage.ts";
import {
  listImage,
  lockOf,
  type PackageListing,
  readLockListing,
} from "../../pipeline/describe/packageListing.ts";
import type { VerificationKey } from "../../supply/signingKey.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { parseDigest } from "../../util/digest.ts";
import type { EmitEvent } from "../../util/events.ts";
import { machineRecords, registryRecords } from "../rebase/imageRecords.ts";
import { commitTime, rfc3339 } from "./commitTime.ts";
import { layerBytes } from "./layerBytes.ts";
import type { PublishedVersion } from "./publishedImages.ts";
import { supplyState, unpublished } from "./supplyState.ts";

/** An image, and its packages as comparisons need them; undefined: nothing says which are inside. */
export interface GatheredImage {
  readonly image: CatalogueImage;
  readonly listing: PackageListing | undefined;
  readonly description: string | undefined;
  readonly source: string | undefined;
}

/** What is needed to find out. */
export interface FactsContext {
  readonly container: Container;
  readonly repository: Repository;
  readonly keys: readonly VerificationKey[];
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** Facts of a published image. @throws SpacktainersError of reading it */
export async function publishedFacts(
  { image, tags, repositories, plainHttp }: PublishedVersion,
  context: FactsContext,
): Promise<GatheredImage> {
  const supply = await supplyState(image, context.keys);
  const more = { origin: "published", tags, repositories, plainHttp, layout: undefined, supply } as const;
  return ofImage(image, more, context);
}

/** Facts of the image in a layout of this machine. @throws SpacktainersError of reading it */
export async function builtFacts(
  image: OciImage,
  path: string,
  context: FactsContext,
): Promise<GatheredImage> {
  const more = {
    origin: "built",
    tags: [],
    repositories: [],
    plainHttp: false,
    layout: relative(context.repository.root, path),
    supply: unpublished,
  } as const;
  return ofImage(image, more, context);
}

type Told = Pick<CatalogueImage, "origin" | "tags" | "repositories" | "plainHttp" | "layout" | "supply">;

async function ofImage(
  image: OciImage | RegistryImage,
  told: Told,
  context: FactsContext,
): Promise<GatheredImage> {
  const { container, repository, emit } = context;
  const { value: manifest, descriptor } = image.manifest;
  const config = (await image.config()).value;
  const said = { ...config.config?.Labels, ...manifest.annotations };
  const label = (key: string): string | undefined => said[`org.opencontainers.image.${key}`];
  const isOurs =
    said[assemblyAnnotation] !== undefined ||
    manifest.layers.some(({ annotations }) => annotations?.[layerPackagesAnnotation] !== undefined);
  // To look for a lock in an image of somebody else, all of it would be read.
  const lock = isOurs ? await lockOf(image) : undefined;
  const listing = lock && listImage(image, lock, label("version") ?? "");
  const records = isRegistryImage(image)
    ? registryRecords(image, context.keys, emit)
    : machineRecords(image, {
        store: openFragmentStore(join(cacheHome(), "fragments")),
        baseCacheDir: baseCacheDirectory(),
      });
  const baseKey = parseDigest(manifest.layers[0]?.annotations?.[baseKeyAnnotation] ?? "");
  const recorded = baseKey === undefined ? undefined : await records.basePackages(baseKey);
  const facts = recorded === undefined ? await recordedDescription(image) : undefined;
  const basePackages = recorded ?? facts?.base.packages;
  const revision = label("revision");
  const version = label("version") ?? told.tags[0] ?? descriptor.digest.slice(7, 19);
  return {
    listing: listing && { ...listing, label: version, basePackages },
    description: label("description"),
    source: label("source"),
    image: {
      ...told,
      arch: container.arch,
      version,
      digest: descriptor.digest,
      size: storedSize(manifest),
      updated:
        (revision === undefined ? undefined : await commitTime(repository.root, revision)) ??
        timeOf(config.created),
      revision,
      licenses: label("licenses"),
      ...contentsOf(listing),
      layers: await layerBytes(image, records),
      base: {
        name: label("base.name") ?? "not known",
        packages: basePackages
          ?.map(({ name, version }) => ({ name, version }))
          .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
      },
      changes: undefined,
      sites: [],
    },
  };
}

/** Facts of what a lock would give. @throws SpacktainersError of reading it */
export async function lockedFacts(
  lock: string,
  { container }: Pick<FactsContext, "container">,
): Promise<GatheredImage> {
  const listing = await readLockListing(lock, container.name);
  const [first] = listing.roots;
  const version = (first && listing.graph.get(first.hash)?.version) ?? "locked";
  return {
    listing,
    description: undefined,
    source: undefined,
    image: {
      origin: "locked",
      arch: container.arch,
      version,
      tags: [],
      repositories: [],
      plainHttp: false,
      digest: undefined,
      layout: undefined,
      size: undefined,
      updated: undefined,
      revision: undefined,
      licenses: undefined,
      ...contentsOf(listing),
      layers: [],
      base: {
        name: "as configured",
        packages: listing.basePackages?.map(({ name, version: its }) => ({ name, version: its })),
      },
      changes: undefined,
      supply: unpublished,
      sites: [],
    },
  };
}

/** The same image with what was found out about sites. */
export function withSites(gathered: GatheredImage, sites: readonly SiteVerdict[]): GatheredImage {
  return { ...gathered, image: { ...gathered.image, sites } };
}

function contentsOf(
  listing: PackageListing | undefined,
): Pick<CatalogueImage, "roots" | "packages" | "externals"> {
  return {
    roots: listing?.roots ?? [],
    packages: listing?.packages.map(({ hash }) => hash) ?? [],
    externals: listing?.externals.map(({ hash }) => hash) ?? [],
  };
}

/** Times of images that are made reproducibly say nothing: they are of 1970 or 1980. */
function timeOf(created: string | undefined): string | undefined {
  const time = Date.parse(created ?? "");
  return Number.isFinite(time) && time > Date.UTC(1990, 0) ? rfc3339(time) : undefined;
}
