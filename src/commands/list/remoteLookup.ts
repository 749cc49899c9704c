/** What only caches and registries know of containers: the version that a build would have, and what is published. */
import { baseCacheDirectory, openBaseStore } from "../../base/baseStore.ts";
import { type CacheSet, openCacheSet } from "../../buildcache/cacheSet.ts";
import { chooseFromCaches } from "../../concretize/chooseFromCaches.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/container.ts";
import { findRegistryImage } from "../../image/openRegistryImage.ts";
import { platformOf } from "../../image/platform.ts";
import { configuredVariantDefaults } from "../../pipeline/choose/configuredVariantDefaults.ts";
import { openEnvironment } from "../../pipeline/choose/openEnvironment.ts";
import { summaryOf } from "../../pipeline/images/builtImages.ts";
import { cacheSources } from "../../pipeline/workspace/workspace.ts";
import { publishTags, publishTarget } from "../../publish/targets.ts";
import { openRegistries, type Registries } from "../../registry/openRegistries.ts";
import { formatRepository } from "../../registry/reference.ts";
import { errorsOf } from "../../util/errors.ts";
import { type EmitEvent, ignoreEvents } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { once } from "../../util/once.ts";

/** An image that a registry has by one of a container's tags. */
export interface ImageWithTag {
  /** `HOST/PATH:TAG`. */
  readonly reference: string;
  /** Of the manifest for the container's architecture. */
  readonly digest: string;
  /** As the image says it. */
  readonly version: string | undefined;
}

/** Asks. What cannot be answered is a warning, once. */
export interface RemoteLookup {
  /** The version of the first spec, as the caches have it now; undefined when they do not have all packages. */
  version(container: Container): Promise<string | undefined>;
  /** What the configured registries have. */
  published(container: Container, version: string | undefined): Promise<readonly ImageWithTag[]>;
  close(): Promise<void>;
}

const questionsAtOnce = 8;

/**
 * Opens what is asked: the caches and the registries of a configuration. Nothing is sent before something is asked.
 *
 * @param directory what relative paths start from
 */
export function openRemoteLookup(
  configuration: Configuration,
  directory: string,
  { emit, signal }: { readonly emit: EmitEvent; readonly signal: AbortSignal },
): RemoteLookup {
  const told = new Set<string>();
  const warn = (thrown: unknown): void => {
    stopIfAborted(signal);
    for (const { code, message, place, hint } of errorsOf(thrown)) {
      if (told.has(message)) continue;
      told.add(message);
      emit({ type: "warning", code, message, place, hint });
    }
  };
  const caches = once(async (): Promise<CacheSet | undefined> => {
    try {
      const sources = await cacheSources(configuration, { caches: [], trust: [] }, directory);
      return openCacheSet(sources, { emit, signal, refresh: false });
    } catch (thrown) {
      warn(thrown);
      return undefined;
    }
  });
  const registries = openRegistries({ configured: configuration.registries, readOnly: true, emit, signal });
  let isCachesOpen = false;
  return {
    async version(container) {
      isCachesOpen = true;
      const opened = await caches();
      if (opened === undefined) return undefined;
      try {
        return await versionNow(container, configuration, opened);
      } catch (thrown) {
        stopIfAborted(signal);
        // That packages are not there is what a build says; that a cache does not answer is not.
        const errors = errorsOf(thrown).filter(({ code }) => code !== "NO_SOLUTION");
        for (const error of errors) warn(error);
        return undefined;
      }
    },
    async published(container, version) {
      const found = await mapConcurrently(configuration.registries, questionsAtOnce, async (_, at) =>
        imagesAt(at, { container, version, configuration, registries }).catch((thrown: unknown) => {
          warn(thrown);
          return [];
        }),
      );
      return found.flat();
    },
    async close() {
      if (isCachesOpen) await (await caches())?.close();
      await registries.close();
    },
  };
}

async function versionNow(
  container: Container,
  configuration: Configuration,
  caches: CacheSet,
): Promise<string | undefined> {
  const { environment } = await openEnvironment(container, configuration, { caches, emit: ignoreEvents });
  const facts = await configuredVariantDefaults(configuration);
  const { roots, graph } = chooseFromCaches(
    environment,
    await caches.index(),
    configuration.platforms[container.arch],
    facts === undefined ? {} : { facts },
  );
  const first = roots[0];
  return first === undefined ? undefined : graph.get(first.hash)?.version;
}

/** Which images are asked for, and where. */
interface ImagesQuestion {
  readonly container: Container;
  readonly version: string | undefined;
  readonly configuration: Configuration;
  readonly registries: Registries;
}

async function imagesAt(
  at: number,
  { container, version, configuration: { registries: configured, placeOf }, registries }: ImagesQuestion,
): Promise<readonly ImageWithTag[]> {
  const configuration = configured[at];
  if (configuration === undefined) return [];
  const place = placeOf(["registries", at]);
  const { repository: name } = publishTarget(configuration, container, place);
  const templates = configuration.tags.filter((tag) => version !== undefined || !tag.includes("{version}"));
  const tags = publishTags({ tags: templates }, { ...container, version: version ?? "" }, place);
  const repository = registries.repository(name);
  const store = openBaseStore(baseCacheDirectory());
  const images = await mapConcurrently(tags, questionsAtOnce, async (tag) => {
    const image = await findRegistryImage(repository, tag, {
      platforms: [platformOf(container.arch)],
      store,
    });
    if (image === undefined) return [];
    const { digest, version: said } = summaryOf(image);
    return [{ reference: `${formatRepository(name)}:${tag}`, digest, version: said }];
  });
  return images.flat();
}
