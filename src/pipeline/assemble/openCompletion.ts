import { baseKeyOf } from "../../base/baseStore.ts";
import { planBase } from "../../base/buildBase.ts";
import { type Completion, rememberedLibraries, rememberLibraries } from "../../base/completions.ts";
import type { Base, BuildBaseOptions, PlannedBase } from "../../base/types.ts";
import type { BaseConfiguration } from "../../definitions/configuration.ts";
import type { PublishedLayers } from "../../publish/publishedLayers.ts";
import { baseSpec } from "../base/baseSpec.ts";
import { reportUndone } from "../base/reportUndone.ts";
import { type Assembly, type Draft, draftImage } from "./assembleContainer.ts";

/** A library of the system may need others; more rounds than this mean that nothing will help. */
const mostRounds = 3;

/** An image's contents on a base that has what they need. */
export interface CompletedDraft {
  readonly assembly: Assembly;
  readonly draft: Draft;
  readonly base: PlannedBase;
  /** Undefined when nothing was added. */
  readonly completion: Completion | undefined;
}

/** A base that grows by what the packages above it need. */
export interface BaseCompletion {
  /** The base, with what an earlier build of the same packages added to it. Not built yet. */
  readonly base: PlannedBase;
  /**
   * Builds the base and drafts the image; where libraries are missing that the base's archive has packages for, adds these
   * and drafts again. What is missing in the end is in the draft's report.
   */
  complete(parts: (base: Base) => Promise<Assembly>): Promise<CompletedDraft>;
}

/** What {@link openCompletion} starts from. */
export interface CompletionRequest {
  readonly configured: BaseConfiguration;
  /** The base as configured. */
  readonly base: PlannedBase;
  /** Keys of the packages' fragments. */
  readonly fragments: readonly string[];
  readonly options: BuildBaseOptions;
  /** The base is one that a lock names: nothing is added to it. */
  readonly locked: boolean;
  /** Bases that need not be built. */
  readonly published: PublishedLayers | undefined;
}

/**
 * Spack packages may be linked with libraries of the system they were built on (external packages such as openssl): those
 * are requirements on the base. A base of OS packages can fulfil them by itself.
 */
export async function openCompletion(request: CompletionRequest): Promise<BaseCompletion> {
  const { configured, base, options, published } = request;
  if (configured.kind !== "debian" || !configured.complete || request.locked)
    return {
      base,
      async complete(parts) {
        const assembly = await parts(await base.build(published));
        reportUndone(assembly.base, options.emit);
        return { assembly, draft: await draftImage(assembly), base, completion: undefined };
      },
    };
  const spec = baseSpec(configured);
  const key = baseKeyOf([base.key, ...request.fragments]);
  const withLibraries = async (libraries: readonly string[]): Promise<PlannedBase> =>
    libraries.length === 0 || spec.kind !== "debian" ? base : planBase({ ...spec, libraries }, options);
  const remembered = await rememberedLibraries(options.cacheDir, key);
  let libraries = remembered.length > 0 ? remembered : (published?.completion(key) ?? []);
  let current = await withLibraries(libraries);
  return {
    base: current,
    async complete(parts) {
      const known = new Set(base.packages?.map(({ name }) => name));
      for (let round = 0; ; round++) {
        const assembly = await parts(await current.build(published));
        const draft = await draftImage(assembly);
        const missing = missingLibraries(draft);
        const wanted = [...new Set([...libraries, ...missing])].sort();
        const next =
          round < mostRounds && wanted.length > libraries.length ? await withLibraries(wanted) : current;
        if (next.key === current.key) {
          if (libraries.length > 0) await rememberLibraries(options.cacheDir, key, libraries);
          const added = (current.packages ?? []).flatMap(({ name }) => (known.has(name) ? [] : [name]));
          if (added.length > 0)
            options.emit({
              type: "warning",
              code: "NOTICE",
              message: `added to the base, because packages were linked with them: ${added.join(", ")}`,
              hint: "list them in base: packages: to choose them yourself, or forbid it with base: complete: false",
            });
          reportUndone(assembly.base, options.emit);
          const completion = libraries.length === 0 ? undefined : { key, libraries };
          return { assembly, draft, base: current, completion };
        }
        libraries = wanted;
        current = next;
      }
    },
  };
}

/** Libraries that stop the build. */
function missingLibraries({ report }: Draft): readonly string[] {
  return report.problems.flatMap(({ kind, missing }) => (kind === "library" ? [missing] : []));
}
