/** The second half of a build: from what was decided to an image, its layers made or found. */
import { baseRecord } from "../../base/baseRecord.ts";
import type { Base } from "../../base/types.ts";
import type { OciImage } from "../../image/image.ts";
import type { ContentsSource } from "../../publish/contentsArtifact.ts";
import { encodeBase } from "../../publish/layerContents.ts";
import type { PublishedLayers } from "../../publish/publishedLayers.ts";
import type { BuiltImageDescription } from "../../supply/imageDescription.ts";
import {
  type Assembly,
  assembledSettings,
  finishImage,
  imageLayers,
  reportDraft,
} from "../assemble/assembleContainer.ts";
import { describeBuilt, describePlanned } from "../assemble/describeBuilt.ts";
import { makeLayers, type ReadyLayers } from "../assemble/makeLayers.ts";
import { openCompletion } from "../assemble/openCompletion.ts";
import { nameOfBase } from "../base/baseSpec.ts";
import { imageInputs, labelsOf } from "../plan/imageInputs.ts";
import { manifestAnnotations } from "../plan/imageLabels.ts";
import { layerSettings } from "../plan/layerSettings.ts";
import type { ContainerPlan } from "../plan/planContainer.ts";
import type { OutputNames } from "../workspace/outputs.ts";
import type { Resources } from "../workspace/resources.ts";

/** An image about to be made. */
export interface DecidedImage {
  readonly names: OutputNames & { readonly arch: "amd64" | "arm64" };
  /** Digest of everything that decides the image, as far as it is known before its contents are. */
  readonly inputs: string;
  /** Makes it. Throws what its parts throw; what is finished is kept for the next run. */
  make(): Promise<MadeImage>;
}

/** An image, ready to be written or pushed. */
export interface MadeImage {
  readonly image: OciImage;
  /** The records of what is in its layers. */
  readonly contents: readonly ContentsSource[];
  readonly base: Base;
  /** What is known of it; undefined when nothing is. */
  readonly facts: BuiltImageDescription | undefined;
  readonly inputs: string;
  /** Packages for which nothing had to be made. */
  readonly reused: number;
}

/**
 * Decides the last of what an image is made of - the completed base - without making anything.
 *
 * @param published layers of images in the registry that this one goes to; undefined: the image stays on this machine, with
 *   all of its layers
 */
export async function decideImage(
  plan: ContainerPlan,
  resources: Resources,
  published: PublishedLayers | undefined,
): Promise<DecidedImage> {
  const { container, configuration, locks, resolved } = plan;
  const names = { name: container.name, arch: container.arch, version: resolved.version };
  const stop = new AbortController();
  const completion = await openCompletion({
    configured: configuration.base,
    base: plan.base,
    fragments: plan.fragments.map(({ key }) => key),
    options: plan.baseOptions,
    // A locked base is complete.
    locked: locks.inUse,
    published,
  });

  async function make(): Promise<MadeImage> {
    const { emit, signal } = resources;
    // The base does not depend on the packages: it is made beside them.
    const built = completion.base.build(published);
    // Until it is awaited below, a failure of it must not count as unhandled.
    built.catch(() => stop.abort());
    emit({
      type: "stage",
      stage: "install-packages",
      total: plan.fragments.length,
      counts: "install",
    });
    const ready = await makeLayers(
      plan.layers,
      {
        store: resources.store,
        pool: resources.pool,
        fetch: (cached) => resources.caches.fetchArchive(cached),
        emit,
        signal: AbortSignal.any([signal, stop.signal]),
      },
      published,
    ).catch(async (error: unknown) => {
      // Whichever of the two failed first is the news.
      if (stop.signal.aborted && !signal.aborted) await built;
      await plan.abandonBase(error);
      await built.catch(() => {});
      throw error;
    });
    emit({ type: "stage", stage: "assemble-image" });
    const completed = await completion.complete(async (base) => assemblyOf(plan, names, base, ready));
    const { assembly, draft } = completed;
    locks.checkBase(assembly.base);
    // What an epilogue adds may be what is missing.
    if (plan.epilogue === undefined) reportDraft(draft, emit);
    const inputs = imageInputs(plan, completed.base);
    const packages = await Promise.all(ready.layers.map((layer) => layer.finish()));
    const baseContents =
      published?.baseContents(completed.base.key) ??
      (assembly.base.layers.length === 0 ? undefined : await contentsOfBase(assembly.base));
    const labels = labelsOf(plan, completed.base);
    const layers = await imageLayers(assembly, draft, resources.store, {
      packages: packages.map(({ layer }) => layer),
      baseContents,
    });
    const continued =
      plan.epilogue === undefined
        ? undefined
        : await (await import("./continueImage.ts")).continueImage(
            plan.epilogue,
            { assembly, draft, layers, labels, base: configuration.base },
            resources,
            {
              published,
              refresh: plan.baseOptions.refresh === true,
            },
          );
    if (continued !== undefined) reportDraft(continued.draft, emit);
    const image = finishImage(assembly, {
      layers: continued?.layers ?? layers,
      settings: continued?.settings ?? assembledSettings(assembly, draft, labels),
      inputs,
      created: plan.created,
      labels,
      annotations: { ...manifestAnnotations(plan.source), ...continued?.annotations },
      completion: completed.completion ?? plan.completion,
    });
    const contents = [
      ...(baseContents === undefined ? [] : [baseContents]),
      ...packages.map((one) => one.contents),
      ...(continued?.contents ?? []),
    ];
    const base = { ...assembly.base, packages: continued?.osPackages ?? assembly.base.packages };
    const planned = await describePlanned(plan, base, emit);
    const facts = await describeBuilt(planned, image, assembly.base, inputs);
    return { image, contents, base: assembly.base, facts, inputs, reused: ready.reused };
  }

  return { names, inputs: imageInputs(plan, completion.base), make };
}

async function assemblyOf(
  plan: ContainerPlan,
  names: DecidedImage["names"],
  base: Base,
  ready: ReadyLayers,
): Promise<Assembly> {
  const inventories = new Map(
    (
      await Promise.all(
        ready.layers.map(async ({ planned, inventories }) => {
          const read = await inventories();
          return planned.members.map(({ key }, index) => [key, read[index] ?? { entries: [] }] as const);
        }),
      )
    ).flat(),
  );
  return {
    names,
    configuration: plan.configuration,
    loaded: plan.loaded,
    resolved: plan.resolved,
    prefixes: plan.prefixes,
    inventories: plan.fragments.map(({ key }) => inventories.get(key) ?? { entries: [] }),
    base,
    baseName: nameOfBase(plan.configuration.base, base),
    allow: plan.allow,
    compression: layerSettings(plan.configuration),
  };
}

/** The record of a base for a registry. */
export async function contentsOfBase(base: Base): Promise<ContentsSource> {
  const { digest, size } = await encodeBase(baseRecord(base));
  return { digest, size, load: () => encodeBase(baseRecord(base)) };
}
