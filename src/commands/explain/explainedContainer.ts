/** What `explain` knows of a container or an image before anything in particular is asked. */
import { type CacheSet, openCacheSet } from "../../buildcache/cacheSet.ts";
import { choosePrepared, prepareChoice } from "../../concretize/chooseFromCaches.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container, Repository } from "../../definitions/repository.ts";
import type { Image } from "../../image/image.ts";
import { configuredVariantDefaults } from "../../pipeline/choose/configuredVariantDefaults.ts";
import type { LoadedEnvironment } from "../../pipeline/choose/loadEnvironment.ts";
import { type EnvironmentTools, openEnvironment } from "../../pipeline/choose/openEnvironment.ts";
import { loadSpacktainersLock, lockPaths } from "../../pipeline/choose/spacktainersLock.ts";
import {
  listImage,
  listLock,
  lockOf,
  noLockInside,
  type PackageListing,
} from "../../pipeline/describe/packageListing.ts";
import { cacheSources } from "../../pipeline/workspace/workspace.ts";
import type { Dialect } from "../../spec/abstract.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import type { ConcreteSpec } from "../../spec/concrete.ts";
import { parseSpec } from "../../spec/parse.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";
import { errorsOf, type Place, SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import type { FreshChoice } from "./explainPackage.ts";

/** What `explain` was asked, as far as all of its forms have it. */
export interface ExplainRequest {
  readonly directory: string;
  readonly arch: string | undefined;
  readonly caches: readonly string[];
  readonly trust: readonly string[];
  readonly refresh: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What is known of a container or an image before anything in particular is asked. */
export interface ContainerState {
  /** How specs of its packages are written. */
  readonly dialect: Dialect;
  /** What says which packages it has. */
  readonly place: Place;
  readonly listing: PackageListing;
  /** Undefined where nothing can be chosen: of an image the requests are not known in full. */
  readonly fresh: FreshChoice | undefined;
}

/** Opens the caches of a repository, or those that the command line names instead. */
export async function openRequestCaches(repository: Repository, request: ExplainRequest): Promise<CacheSet> {
  const { emit, signal, refresh, directory } = request;
  const sources = await cacheSources(repository.configuration, request, directory);
  return openCacheSet(sources, { emit, signal, refresh });
}

/** Reads a container's environment and lock, and chooses from the caches. With a lock, the latter may fail. */
export async function openContainer(
  container: Container,
  configuration: Configuration,
  tools: EnvironmentTools & { readonly caches: CacheSet },
): Promise<ContainerState> {
  const { caches, emit } = tools;
  const loaded = await openEnvironment(container, configuration, tools);
  const fresh = await chooseNow(container, { configuration, loaded, caches, emit });
  const { dialect, file } = loaded.environment;
  const common = { dialect, place: { file }, fresh };
  if (loaded.lock !== undefined) {
    const own = await loadSpacktainersLock(lockPaths(container).spacktainers);
    return { ...common, listing: listLock(loaded.lock, own, container.lock ?? "") };
  }
  if (fresh?.resolution === undefined)
    throw new SpacktainersErrors(
      fresh?.problems ?? [new SpacktainersError("INTERNAL", "nothing was chosen")],
    );
  const { roots, graph } = fresh.resolution;
  return {
    ...common,
    listing: {
      label: `${container.name} from the caches`,
      origin: "caches",
      roots,
      graph,
      ...runtimeClosure(
        graph,
        roots.map(({ hash }) => hash),
      ),
      sizes: new Map(),
      sizesOf: "archives",
      basePackages: undefined,
      imageSize: undefined,
      layers: [],
    },
  };
}

/**
 * Reads which packages are in an image.
 *
 * @param label for people
 * @throws {SpacktainersError} `NOT_SUPPORTED` when nothing in the image says it; of reading the image
 */
export async function openImagePackages(image: Image, label: string): Promise<ContainerState> {
  const lock = await lockOf(image);
  if (lock === undefined) throw noLockInside(image);
  return {
    dialect: lock.dialect,
    place: image.place,
    listing: listImage(image, lock, label),
    fresh: undefined,
  };
}

/** What packages are chosen by. */
interface ChoosingContext {
  readonly configuration: Configuration;
  readonly loaded: LoadedEnvironment;
  readonly caches: CacheSet;
  readonly emit: EmitEvent;
}

async function chooseNow(
  container: Container,
  { configuration, loaded: { environment, lock }, caches, emit }: ChoosingContext,
): Promise<FreshChoice | undefined> {
  emit({ type: "stage", stage: "choose-packages" });
  try {
    const index = await caches.index();
    const facts = await configuredVariantDefaults(configuration);
    const platform = configuration.platforms[container.arch];
    const context = prepareChoice(environment, index, platform, facts === undefined ? {} : { facts });
    try {
      return { context, resolution: choosePrepared(context), problems: [] };
    } catch (thrown) {
      return { context, resolution: undefined, problems: errorsOf(thrown) };
    }
  } catch (thrown) {
    if (lock === undefined) throw thrown;
    for (const { code, message, place } of errorsOf(thrown)) emit({ type: "warning", code, message, place });
    return undefined;
  }
}

/** All nodes of the container's graph that satisfy a spec, or provide a virtual of that name; build dependencies too. */
export function satisfying(text: string, { dialect, listing }: ContainerState): readonly ConcreteSpec[] {
  const spec = parseSpec(text, { dialect });
  const { graph } = listing;
  const found = [...graph.values()].filter(({ hash }) => concreteSatisfies(graph, hash, spec, { dialect }));
  const providers = new Set(
    [...graph.values()].flatMap(({ dependencies }) =>
      dependencies.filter(({ virtuals }) => virtuals.includes(text)).map(({ hash }) => hash),
    ),
  );
  return [...found, ...[...graph.values()].filter(({ hash }) => providers.has(hash))].sort((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : a.hash < b.hash ? -1 : 1,
  );
}
