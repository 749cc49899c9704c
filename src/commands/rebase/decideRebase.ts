/** The packages of a finished image on another base: nothing of them is made again, all that depends on the base is. */
import { imageMtime } from "../../archive/entry.ts";
import { planBase } from "../../base/buildBase.ts";
import type { BaseLock, PlannedBase } from "../../base/types.ts";
import type { BaseConfiguration } from "../../definitions/configuration.ts";
import { createdTime } from "../../image/created.ts";
import {
  type Assembly,
  assembledSettings,
  finishImage,
  imageLayers,
  reportDraft,
} from "../../pipeline/assemble/assembleContainer.ts";
import { openCompletion } from "../../pipeline/assemble/openCompletion.ts";
import { baseDigest } from "../../pipeline/base/baseDigest.ts";
import { baseSpec, nameOfBase } from "../../pipeline/base/baseSpec.ts";
import { snapshotTime } from "../../pipeline/base/snapshotTime.ts";
import { baseOptions } from "../../pipeline/base/startBase.ts";
import { contentsOfBase, type DecidedImage, type MadeImage } from "../../pipeline/epilogue/makeImage.ts";
import { inputsDigest } from "../../pipeline/plan/imageInputs.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import type { ContentsSource } from "../../publish/contentsArtifact.ts";
import type { PublishedLayers } from "../../publish/publishedLayers.ts";
import type { Digest } from "../../util/digest.ts";
import { describeRebased } from "./describeRebased.ts";
import type { ImageParts } from "./imageParts.ts";

/** What is to lie underneath. */
export interface RebaseBase {
  readonly configured: BaseConfiguration;
  /** Exactly this one, which a lock names. */
  readonly lock: BaseLock | undefined;
}

/**
 * Decides what an image becomes on another base. Building it is what `push` would do with the same packages: the view, the
 * loader's cache and the environment are worked out from what the layers are known to have, and it is checked that every
 * library, symbol version and interpreter resolves.
 *
 * @param published bases in the registry that it goes to need not be built
 * @returns whose `make` throws `LINKAGE_UNRESOLVED`, `LIBC_TOO_OLD` when something would not run
 * @throws {SpacktainersError} of planning a base
 */
export async function decideRebase(
  image: ImageParts,
  wanted: RebaseBase,
  resources: Pick<Resources, "store" | "registries" | "baseCacheDir" | "emit" | "signal">,
  { published, refresh }: { readonly published: PublishedLayers | undefined; readonly refresh: boolean },
): Promise<DecidedImage> {
  const { names, facts, packages, layers } = image;
  const { emit, store } = resources;
  const options = baseOptions({ architecture: names.arch, lock: wanted.lock, refresh }, resources);
  const completion = await openCompletion({
    configured: wanted.configured,
    base: await planBase(baseSpec(wanted.configured), options),
    fragments: packages.map(({ fragment }) => fragment),
    options,
    locked: wanted.lock !== undefined,
    published,
  });
  const created = createdTime([imageMtime, ...snapshotTime(wanted.configured)]);
  const layoutDigest = await baseDigest(wanted.configured, names.arch);
  const digestOfBase = (base: PlannedBase): Digest | undefined => base.image?.digest ?? layoutDigest;
  const labels = (base: PlannedBase): ImageParts["labels"] =>
    labelsOn(image, nameOfBase(wanted.configured, { packages: base.packages ?? [] }), digestOfBase(base));
  const inputs = (base: PlannedBase): string =>
    inputsDigest({
      names,
      base: base.key,
      fragments: packages.map(({ fragment }) => fragment),
      layers: layers.map(({ key }) => key),
      manifest: image.manifestText,
      lock: image.lockText,
      root: facts.configuration.install.root,
      view: facts.configuration.view.root,
      allow: facts.allow,
      created,
      labels: labels(base),
      epilogue: undefined,
    });

  async function make(): Promise<MadeImage> {
    emit({ type: "stage", stage: "change-base" });
    const completed = await completion.complete(
      async (base): Promise<Assembly> => ({
        names,
        configuration: facts.configuration,
        loaded: image,
        resolved: { ...image, hasSpackPackage: undefined },
        prefixes: new Map(packages.map(({ spec, prefix }) => [spec.hash, prefix])),
        inventories: packages.map(({ inventory }) => inventory),
        base,
        baseName: nameOfBase(wanted.configured, base),
        allow: facts.allow,
        compression: facts.compression,
      }),
    );
    const { assembly, draft } = completed;
    reportDraft(draft, emit);
    const { base } = assembly;
    const baseContents: ContentsSource | undefined =
      published?.baseContents(completed.base.key) ??
      (base.layers.length === 0 ? undefined : await contentsOfBase(base));
    const decided = inputs(completed.base);
    const own = labels(completed.base);
    const finished = finishImage(assembly, {
      layers: await imageLayers(assembly, draft, store, {
        packages: layers.map(({ layer }) => layer),
        baseContents,
      }),
      settings: assembledSettings(assembly, draft, own),
      inputs: decided,
      created,
      labels: own,
      annotations: image.annotations,
      completion: completed.completion,
    });
    return {
      image: finished,
      contents: [
        ...(baseContents === undefined ? [] : [baseContents]),
        ...layers.map(({ contents }) => contents),
      ],
      base,
      facts: await describeRebased(image, {
        image: finished,
        base,
        baseName: assembly.baseName,
        baseDigest: digestOfBase(completed.base),
        inputs: decided,
        created,
      }),
      inputs: decided,
      reused: packages.length,
    };
  }

  return { names, inputs: inputs(completion.base), make };
}

/** The image's labels, with those that name its base replaced. */
function labelsOn({ labels }: ImageParts, name: string, digest: Digest | undefined): ImageParts["labels"] {
  const { "org.opencontainers.image.base.digest": _, ...kept } = labels;
  return {
    ...kept,
    "org.opencontainers.image.base.name": name,
    ...(digest === undefined ? {} : { "org.opencontainers.image.base.digest": digest }),
  };
}
