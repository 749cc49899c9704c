import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import { type DependencyGraph, dependencyGraph } from "../../catalogue/graph/dependencyGraph.ts";
import { didYouMean } from "../../definitions/nearest.ts";
import type { Repository } from "../../definitions/repository.ts";
import { type PackageListing, readImageListing } from "../../pipeline/describe/packageListing.ts";
import { builtImage, defaultOutput } from "../../pipeline/images/builtImages.ts";
import { findImage, type ImageSubject } from "../../pipeline/images/findImage.ts";
import { openSubject } from "../../pipeline/images/openSubject.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";
import { parseSpec } from "../../spec/parse.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import {
  type ContainerState,
  type ExplainRequest,
  openContainer,
  openImagePackages,
  openRequestCaches,
  satisfying,
} from "./explainedContainer.ts";
import {
  alternativesTo,
  type ExplainedAlternative,
  explainPackage,
  type PackageExplanation,
} from "./explainPackage.ts";

/** Metadata requests at a time. */
const lookupsAtOnce = 16;

/** A container, all of it. */
export interface ContainerExplanation {
  readonly name: string;
  readonly arch: string;
  /** Source of its packages: its lock, the current caches, or for an image, the lock inside. */
  readonly origin: PackageListing["origin"];
  readonly roots: readonly {
    readonly request: string;
    readonly name: string;
    readonly version: string;
    readonly hash: DagHash;
  }[];
  readonly packages: readonly {
    readonly name: string;
    readonly version: string;
    readonly hash: DagHash;
    /** Bytes of the archive. */
    readonly size: number | undefined;
    /** The cache that has it; undefined if it is not available. */
    readonly cache: string | undefined;
    /** How many roots need it. */
    readonly roots: number;
  }[];
  /** What the base must have. */
  readonly externals: readonly {
    readonly name: string;
    readonly version: string;
    readonly path: string | undefined;
  }[];
  /** Packages that were only needed to build: they are not in the image. */
  readonly buildOnly: readonly string[];
  /** Why no choice from the caches is possible now. */
  readonly problems: readonly { readonly code: string; readonly message: string; readonly hint?: string }[];
  readonly graph: DependencyGraph;
  /** The requested packages. */
  readonly explanations: readonly PackageExplanation[];
  /** Requested packages that the container does not have, but the caches do. */
  readonly absent: readonly {
    readonly name: string;
    readonly alternatives: readonly ExplainedAlternative[];
  }[];
}

/**
 * Explains a container, and packages in it. What the container has is what its lock says, else what the caches give now. Of an
 * image that is named in another form, it is what the lock inside says.
 *
 * @param name of a container, or an image in any form that `findImage` knows
 * @param asked names, virtuals or specs of packages; none: the container as a whole
 * @param limit how many cached configurations of a package are looked into
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `USAGE`, `NOT_FOUND` for a package that neither the container nor a cache
 *   has; without a lock, of choosing from caches; of reading images
 */
export async function explainPackages(
  request: ExplainRequest,
  name: string,
  asked: readonly string[],
  limit: number,
): Promise<ContainerExplanation> {
  const repository = await openSoundRepository(request.directory);
  const subject = await findImage(name, repository, request);
  const caches = await openRequestCaches(repository, request);
  try {
    const { state, container } = await openState(subject, repository, caches, request);
    const { listing, fresh } = state;
    const wanted = asked.map((text) => matchPackages(text, state));
    const explained = [...new Set(wanted.flatMap(({ specs }) => specs))];
    const availability = await lookUp(explained.length > 0 ? explained : listing.packages, listing, caches);
    const built =
      asked.length === 0 || container.output === undefined ? undefined : await builtListing(container.output);
    const facts = { listing, fresh, built, availability, limit };
    return {
      ...describeContainer(container, state, availability),
      explanations: explained.map((spec) => explainPackage(spec, facts)),
      absent: wanted.flatMap(({ absent }) =>
        absent === undefined || fresh === undefined
          ? []
          : [{ name: absent, alternatives: alternativesTo(absent, fresh, limit) }],
      ),
    };
  } finally {
    await caches.close();
  }
}

/** What is explained, for the answer. */
interface Explained {
  readonly name: string;
  readonly arch: string;
  /** Folder of a container's image. */
  readonly output: string | undefined;
}

async function openState(
  subject: ImageSubject,
  repository: Repository,
  caches: CacheSet,
  request: ExplainRequest,
): Promise<{ readonly state: ContainerState; readonly container: Explained }> {
  const { emit, signal } = request;
  const { configuration } = repository;
  const { name, container } = subject;
  if (container !== undefined) {
    const tools = { caches, areCachesGiven: request.caches.length > 0, emit };
    const state = await openContainer(container, configuration, tools);
    const output = defaultOutput(configuration.output, container);
    return { state, container: { name, arch: container.arch, output } };
  }
  const { arch } = request;
  const image = await openSubject(subject, { arch, registries: configuration.registries, emit, signal });
  try {
    const { architecture } = (await image.config()).value;
    const state = await openImagePackages(image, name);
    return { state, container: { name, arch: architecture, output: undefined } };
  } finally {
    await image.close();
  }
}

async function lookUp(
  specs: readonly ConcreteSpec[],
  { graph }: PackageListing,
  caches: CacheSet,
): Promise<ReadonlyMap<DagHash, CachedPackage | SpacktainersError>> {
  const found = new Map<DagHash, CachedPackage | SpacktainersError>();
  await mapConcurrently(
    specs.filter(({ external }) => external === undefined),
    lookupsAtOnce,
    async (spec) => {
      const built = spec.buildSpec === undefined ? spec : (graph.get(spec.buildSpec.hash) ?? spec);
      try {
        found.set(spec.hash, await caches.findPackage(built, (hash) => graph.get(hash)));
      } catch (thrown) {
        if (!(thrown instanceof SpacktainersError) || thrown.code === "INTERRUPTED") throw thrown;
        found.set(spec.hash, thrown);
      }
    },
  );
  return found;
}

/** The image in the output folder; undefined when spacktainers made none. */
async function builtListing(directory: string): Promise<PackageListing | undefined> {
  const image = await builtImage(directory);
  return image && readImageListing(image, directory).catch(() => undefined);
}

/** The packages that the user means: those in the image if there are any, else those that were needed to build. */
function matchPackages(
  text: string,
  state: ContainerState,
): { readonly specs: readonly ConcreteSpec[]; readonly absent?: string } {
  const { listing, fresh, dialect, place } = state;
  const all = satisfying(text, state);
  const inside = new Set([...listing.packages, ...listing.externals].map(({ hash }) => hash));
  const specs = all.filter(({ hash }) => inside.has(hash));
  if (specs.length > 0) return { specs };
  if (all.length > 0) return { specs: all };
  const { name } = parseSpec(text, { dialect });
  if (name !== undefined && (fresh?.context.source.hashesOf(name).length ?? 0) > 0)
    return { specs: [], absent: name };
  const hint =
    name === undefined
      ? undefined
      : didYouMean(name, [...new Set([...listing.graph.values()].map((spec) => spec.name))].sort());
  const nobody = listing.origin === "image" ? "the image has no" : "neither the container nor a cache has";
  throw new SpacktainersError("NOT_FOUND", `${nobody} \`${text}\``, {
    place,
    hint,
  });
}

function describeContainer(
  container: Explained,
  { listing, fresh }: ContainerState,
  availability: ReadonlyMap<DagHash, CachedPackage | SpacktainersError>,
): Omit<ContainerExplanation, "explanations" | "absent"> {
  const roots = listing.roots.map(({ hash }) => hash);
  const inside = new Set([...listing.packages, ...listing.externals].map(({ hash }) => hash));
  const needing = rootCounts(listing);
  return {
    name: container.name,
    arch: container.arch,
    origin: listing.origin,
    roots: listing.roots.flatMap(({ request, hash }) => {
      const spec = listing.graph.get(hash);
      return spec === undefined ? [] : [{ request, name: spec.name, version: spec.version, hash }];
    }),
    packages: listing.packages.map(({ name, version, hash }) => {
      const found = availability.get(hash);
      const cached = found !== undefined && "archiveUrl" in found ? found : undefined;
      return {
        name,
        version,
        hash,
        size: listing.sizes.get(hash) ?? cached?.size,
        cache: cached?.cacheUrl,
        roots: needing.get(hash) ?? 0,
      };
    }),
    externals: listing.externals.map(({ name, version, external }) => ({
      name,
      version,
      path: external?.path,
    })),
    buildOnly: [
      ...new Set([...listing.graph.values()].filter(({ hash }) => !inside.has(hash)).map(({ name }) => name)),
    ].sort(),
    problems: (fresh?.problems ?? []).map(({ code, message, hint }) => ({
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
    })),
    graph: dependencyGraph(listing.graph, roots),
  };
}

/** How many roots need each package at run time. */
function rootCounts({ roots, graph }: PackageListing): ReadonlyMap<DagHash, number> {
  const counts = new Map<DagHash, number>();
  for (const root of new Set(roots.map(({ hash }) => hash)))
    for (const { hash } of dependencyGraph(graph, [root]).nodes)
      counts.set(hash, (counts.get(hash) ?? 0) + 1);
  return counts;
}
