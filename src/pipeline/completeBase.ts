import { keyOf } from "../base/baseStore.ts";
import { buildBase, planBase } from "../base/buildBase.ts";
import { rememberedLibraries, rememberLibraries } from "../base/completions.ts";
import type { Base, BuildBaseOptions, PlannedBase } from "../base/types.ts";
import type { BaseConfiguration } from "../definitions/configuration.ts";
import { type Assembly, type Draft, draftImage } from "./assembleContainer.ts";
import { baseSpec } from "./baseSpec.ts";

/** A library of the system may need others; more rounds than this mean that nothing will help. */
const mostRounds = 3;

/** A base that grows by what the packages above it need. */
export interface BaseCompletion {
  /** The base, with what an earlier build of the same packages added to it. */
  readonly base: Base;
  /**
   * Drafts the image; where libraries are missing that the base's archive has packages for, adds these and drafts again.
   * What is missing in the end is in the draft's report.
   */
  complete(parts: (base: Base) => Assembly): Promise<{ readonly assembly: Assembly; readonly draft: Draft }>;
}

/**
 * Spack packages may be linked with libraries of the system they were built on (external packages such as openssl): those
 * are requirements on the base. A base of OS packages can fulfil them by itself.
 *
 * @param base as configured
 * @param fragments keys of the packages above the base
 * @param locked true when the base is one that a lock names: nothing is added to it
 */
export async function openCompletion(
  configured: BaseConfiguration,
  base: Base,
  fragments: readonly string[],
  options: BuildBaseOptions,
  locked = false,
): Promise<BaseCompletion> {
  if (configured.kind !== "debian" || !configured.complete || locked)
    return {
      base,
      complete: async (parts) => {
        const assembly = parts(base);
        return { assembly, draft: await draftImage(assembly) };
      },
    };
  const spec = baseSpec(configured);
  const key = completionKey(base.key, fragments);
  const withLibraries = async (libraries: readonly string[]): Promise<Base> =>
    libraries.length === 0 || spec.kind !== "debian" ? base : buildBase({ ...spec, libraries }, options);
  let libraries = await rememberedLibraries(options.cacheDir, key);
  let current = await withLibraries(libraries);
  return {
    base: current,
    async complete(parts) {
      const known = new Set(base.packages.map(({ name }) => name));
      for (let round = 0; ; round++) {
        const assembly = parts(current);
        const draft = await draftImage(assembly);
        const missing = missingLibraries(draft);
        const wanted = [...new Set([...libraries, ...missing])].sort();
        const next =
          round < mostRounds && wanted.length > libraries.length ? await withLibraries(wanted) : current;
        if (next.key === current.key) {
          if (libraries.length > 0) await rememberLibraries(options.cacheDir, key, libraries);
          const added = current.packages.filter(({ name }) => !known.has(name)).map(({ name }) => name);
          if (added.length > 0)
            options.emit({
              type: "warning",
              code: "NOTICE",
              message: `added to the base, because packages were linked with them: ${added.join(", ")}`,
              hint: "list them in base: packages: to say so yourself, or forbid it with base: complete: false",
            });
          return { assembly, draft };
        }
        libraries = wanted;
        current = next;
      }
    },
  };
}

/**
 * The base that a build would use at first: with what an earlier build of the same packages added to it. It is not built.
 *
 * @param base as configured
 * @param fragments keys of the packages above the base
 * @param locked as in {@link openCompletion}
 */
export async function rememberedCompletion(
  configured: BaseConfiguration,
  base: PlannedBase,
  fragments: readonly string[],
  options: BuildBaseOptions,
  locked: boolean,
): Promise<PlannedBase> {
  if (configured.kind !== "debian" || !configured.complete || locked) return base;
  const libraries = await rememberedLibraries(options.cacheDir, completionKey(base.key, fragments));
  const spec = baseSpec(configured);
  return libraries.length === 0 || spec.kind !== "debian" ? base : planBase({ ...spec, libraries }, options);
}

/** Stands for a base and the packages above it. */
function completionKey(base: Base["key"], fragments: readonly string[]): Base["key"] {
  return keyOf([base, ...fragments]);
}

/** Libraries that stop the build. */
function missingLibraries({ report }: Draft): readonly string[] {
  return report.problems.flatMap(({ kind, missing }) => (kind === "library" ? [missing] : []));
}
