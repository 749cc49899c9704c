import { openCacheSet } from "../../buildcache/cacheSet.ts";
import type { Architecture, Configuration } from "../../definitions/configuration.ts";
import { cachedChoice } from "../../pipeline/choose/cachedChoice.ts";
import { configuredVariantDefaults } from "../../pipeline/choose/configuredVariantDefaults.ts";
import { type CacheChoice, cacheSources } from "../../pipeline/workspace/workspace.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { errorsOf } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";

/** Which caches to ask, and how. */
export interface CacheQuestion extends CacheChoice {
  /** What relative paths of the command line start from. */
  readonly directory: string;
  readonly refresh: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What the caches say of a new container. */
export type CacheAnswer =
  /** All of it: the packages of its specs, and how many there are with what they need at run time. */
  | { readonly state: "complete"; readonly roots: readonly string[]; readonly packages: number }
  /** Not all: why, as errors say it. */
  | { readonly state: "incomplete"; readonly problems: readonly string[]; readonly hint: string | undefined }
  /** They could not be asked. */
  | { readonly state: "unknown"; readonly reason: string; readonly hint: string | undefined };

/**
 * Asks the caches for the text of a manifest. That they cannot be asked is an answer, too.
 *
 * @throws the signal's reason
 */
export async function askCaches(
  text: string,
  arch: Architecture,
  configuration: Configuration,
  { directory, caches: urls, trust, refresh, emit, signal }: CacheQuestion,
): Promise<CacheAnswer> {
  try {
    const sources = await cacheSources(configuration, { caches: urls, trust }, directory);
    const caches = openCacheSet(sources, { emit, signal, refresh });
    try {
      const choice = cachedChoice(text, "spack.yaml", {
        index: await caches.index(),
        platform: configuration.platforms[arch],
        dialect: configuration.spack.dialect,
        facts: await configuredVariantDefaults(configuration),
      });
      if (choice.problems.length === 0)
        return {
          state: "complete",
          roots: choice.roots.map((root) => briefSpec(root)),
          packages: choice.packages.length,
        };
      return {
        state: "incomplete",
        problems: choice.problems.map(({ message }) => message),
        hint: choice.problems[0]?.hint,
      };
    } finally {
      await caches.close();
    }
  } catch (thrown) {
    signal.throwIfAborted();
    const [error] = errorsOf(thrown);
    return { state: "unknown", reason: error?.message ?? "the caches cannot be read", hint: error?.hint };
  }
}
