import type { CacheIndex } from "../../buildcache/types.ts";
import { chooseFromCaches } from "../../concretize/chooseFromCaches.ts";
import type { VariantDefaults } from "../../concretize/criteria.ts";
import type { TargetPlatform } from "../../concretize/rules.ts";
import { readManifest } from "../../environment/manifest.ts";
import type { Dialect } from "../../spec/abstract.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import type { ConcreteSpec } from "../../spec/concrete.ts";
import { errorsOf, type SpacktainersError } from "../../util/errors.ts";

/** What the caches have for a manifest. */
export interface CachedChoice {
  /** What was chosen for the specs, in their order; empty where the caches cannot answer all of them. */
  readonly roots: readonly ConcreteSpec[];
  /** Packages of the link/run closure. */
  readonly packages: readonly ConcreteSpec[];
  /** Why there is no choice. */
  readonly problems: readonly SpacktainersError[];
}

/** What decides the choice in addition to the manifest. */
export interface CachedChoiceOptions {
  readonly index: CacheIndex;
  readonly platform: TargetPlatform;
  /** Undefined: that of the caches. */
  readonly dialect: Dialect | undefined;
  readonly facts: VariantDefaults | undefined;
}

/**
 * Chooses packages for the text of a manifest that need not be on disk. Only indexes are asked: nothing is verified.
 *
 * @param file name for places
 */
export function cachedChoice(
  text: string,
  file: string,
  { index, platform, dialect = index.generation, facts }: CachedChoiceOptions,
): CachedChoice {
  const reading = readManifest(text, file, { dialect });
  if (reading.environment === undefined) return { roots: [], packages: [], problems: reading.errors };
  try {
    const { roots, graph } = chooseFromCaches(reading.environment, index, platform, { facts });
    const hashes = roots.map(({ hash }) => hash);
    return {
      roots: hashes.flatMap((hash) => graph.get(hash) ?? []),
      packages: runtimeClosure(graph, hashes).packages,
      problems: [],
    };
  } catch (thrown) {
    return { roots: [], packages: [], problems: errorsOf(thrown) };
  }
}
