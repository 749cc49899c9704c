/** One container's image into the registries: what they have is referred to, the rest is made and sent. */
import type { Platform } from "../../archive/oci/types.ts";
import { withOtherCopies } from "../../buildcache/otherCopy.ts";
import type { Configuration, RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { platformOfConfig } from "../../image/image.ts";
import type { RegistryImage } from "../../image/openRegistryImage.ts";
import { platformOf } from "../../image/platform.ts";
import { decideImage, type MadeImage } from "../../pipeline/epilogue/makeImage.ts";
import { planContainer } from "../../pipeline/plan/planContainer.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { pushContents } from "../../publish/contentsArtifact.ts";
import { openPublishedLayers } from "../../publish/publishedLayers.ts";
import type { TaggedImage } from "../../publish/publishTag.ts";
import { type LayerOutcome, pushLayersAndManifest } from "../../publish/pushLayersAndManifest.ts";
import type { RegistryTarget } from "../../publish/targets.ts";
import { formatRepository, type Tag } from "../../registry/reference.ts";
import type { ImageRepository } from "../../registry/registry.ts";
import type { BuiltImageDescription } from "../../supply/imageDescription.ts";
import type { Digest } from "../../util/digest.ts";
import { asSpacktainersError, type SpacktainersError } from "../../util/errors.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import {
  inputsOf,
  neighboursThere,
  type PushTarget,
  publishedThere,
  pushTargetsOf,
  questionsAtOnce,
} from "./pushTargets.ts";

/** A command line of `push`, as far as it decides the images. */
export type PushOptions = Pick<
  BuildRequest,
  "frozen" | "strip" | "keepMetadata" | "allowUnresolved" | "refresh" | "buildArguments" | "epilogueNetwork"
> & {
  /** Push again what is there already, and make again what could be referred to. */
  readonly force: boolean;
};

/** What became of an image in one repository. */
export interface PushedTo {
  /** `host/repository`. */
  readonly repository: string;
  readonly tags: readonly Tag[];
  readonly digest: Digest | undefined;
  /** The registry already had the image, made from the same inputs. */
  readonly upToDate: boolean;
  /** Numbers of layers that were sent, taken from another repository, and already there. */
  readonly layers: Readonly<Record<LayerOutcome, number>>;
  /** Bytes of layers that were sent. */
  readonly bytesSent: number;
  readonly error: SpacktainersError | undefined;
}

/** An image in the registries, its tags still to be moved. */
export interface PushedContainer {
  readonly container: Pick<Container, "name" | "arch">;
  readonly version: string;
  /** One a registry, in the configuration's order. */
  readonly targets: readonly PushedTarget[];
}

/** An image in one registry. */
export interface PushedTarget {
  readonly target: RegistryTarget;
  readonly repository: ImageRepository;
  readonly result: PushedTo;
  /** Undefined when the image did not get there. */
  readonly image: TaggedImage | undefined;
  /** What is known of it; undefined when it was there already. */
  readonly facts: BuiltImageDescription | undefined;
  /** Waits for the records of the image's layers, which are put while other work goes on. Throws what went wrong with them. */
  recorded(): Promise<void>;
}

/** What pushing a container takes. */
export interface PushContext {
  readonly neighbours: readonly Container[];
  readonly registries: readonly RegistryConfiguration[];
  readonly configuration: Configuration;
  readonly options: PushOptions;
  readonly resources: Resources;
}

/**
 * Pushes one container's image to every registry. A registry that fails does not keep the others from getting it.
 *
 * @param neighbours the other containers of the repository: layers of their images are referred to as well
 * @throws {SpacktainersError} of planning and making the image; what fails at a registry is in its result
 */
export async function pushContainer(
  container: Container,
  { neighbours, registries, configuration, options, resources }: PushContext,
): Promise<PushedContainer> {
  return withOtherCopies(() =>
    pushOnce(container, { neighbours, registries, configuration, options, resources }),
  );
}

async function pushOnce(
  container: Container,
  { neighbours, registries, configuration, options, resources }: PushContext,
): Promise<PushedContainer> {
  const plan = await planContainer(container, configuration, { request: options, tools: resources });
  const { emit } = resources;
  const { version } = plan.resolved;
  const platform = platformOf(container.arch);
  const pushTargets = pushTargetsOf(container, version, { registries, configuration, resources });
  emit({ type: "stage", stage: "ask-registries" });
  const states = await mapConcurrently(pushTargets, questionsAtOnce, async (pushTarget) =>
    tried(() => publishedThere(pushTarget, platform, resources)),
  );
  const reachable = states.flatMap((state) => (state.value === undefined ? [] : [state.value]));
  const layersThere = async (): Promise<readonly RegistryImage[]> => [
    ...reachable.flat(),
    ...(await neighboursThere(pushTargets, neighbours, platform, resources)),
  ];
  const own = openPublishedLayers(reachable.flat(), emit);
  const decided = await decideImage(plan, resources, own);
  const same = states.map((state) =>
    options.force ? undefined : state.value?.find((image) => inputsOf(image) === decided.inputs),
  );
  const missing = states.some((state, index) => state.error === undefined && same[index] === undefined);
  let made: MadeImage | undefined;
  if (missing) {
    const published = options.force ? undefined : openPublishedLayers(await layersThere(), emit);
    made = await (await decideImage(plan, resources, published)).make();
    emit({ type: "stage", stage: "push-image" });
  }
  const questions = pushTargets.map((pushTarget, index) => ({
    pushTarget,
    there: same[index],
    error: states[index]?.error,
  }));
  return { container, version, targets: await pushToAll(questions, made, platform, resources) };
}

/** A registry, and what it said. */
export interface AskedTarget {
  readonly pushTarget: PushTarget;
  /** The image that it is to have, when it has it already. */
  readonly there: RegistryImage | undefined;
  /** Why it could not be asked. */
  readonly error: SpacktainersError | undefined;
}

/** Pushes an image to all registries that do not have it. What fails at one is in its result. */
export async function pushToAll(
  pushTargets: readonly AskedTarget[],
  made: PushableImage | undefined,
  platform: Platform,
  resources: Resources,
): Promise<readonly PushedTarget[]> {
  const targets: PushedTarget[] = [];
  // One registry after the other: they would share the way out of this machine.
  for (const { pushTarget, there, error } of pushTargets) {
    resources.signal.throwIfAborted();
    const attempt = await tried(async () => {
      if (error !== undefined) throw error;
      if (there !== undefined) return present(pushTarget, there, platform);
      if (made === undefined) throw new Error("there is nothing to push");
      return pushTo(pushTarget, made, resources);
    });
    targets.push(
      attempt.value ?? {
        target: pushTarget.target,
        repository: pushTarget.repository,
        result: { ...emptyResult(pushTarget), error: attempt.error },
        image: undefined,
        facts: undefined,
        recorded: nothingToRecord,
      },
    );
  }
  return targets;
}

/** An image, and the records of what is in its layers. */
export type PushableImage = Pick<MadeImage, "image" | "contents" | "facts">;

function present(pushTarget: PushTarget, { manifest }: RegistryImage, platform: Platform): PushedTarget {
  const { bytes, descriptor, value } = manifest;
  const { target, repository } = pushTarget;
  const layers = { ...noLayers, referenced: value.layers.length };
  return {
    target,
    repository,
    facts: undefined,
    recorded: nothingToRecord,
    result: { ...emptyResult(pushTarget), digest: descriptor.digest, upToDate: true, layers },
    image: { descriptor: { ...descriptor, platform }, bytes },
  };
}

async function pushTo(
  pushTarget: PushTarget,
  made: PushableImage,
  resources: Resources,
): Promise<PushedTarget> {
  const { image } = made;
  const pushed = await pushLayersAndManifest(pushTarget.repository, image, resources.signal);
  const { descriptor, bytes } = image.manifest;
  const config = await image.config();
  const records =
    made.contents.length === 0 ? undefined : pushContents(pushTarget.repository, descriptor, made.contents);
  // It fails for those who wait for it, and nobody may.
  records?.catch(() => {});
  const layers = { ...noLayers };
  for (const outcome of pushed.layers) layers[outcome]++;
  return {
    target: pushTarget.target,
    repository: pushTarget.repository,
    result: {
      ...emptyResult(pushTarget),
      digest: descriptor.digest,
      layers,
      bytesSent: pushed.bytesSent,
    },
    image: { descriptor: { ...descriptor, platform: platformOfConfig(config.value) }, bytes },
    facts: made.facts,
    recorded: async () => void (await records),
  };
}

const nothingToRecord = async (): Promise<void> => {};

/** Of an image that no layer was sent of. */
export const noLayers: Readonly<Record<LayerOutcome, number>> = {
  uploaded: 0,
  mounted: 0,
  present: 0,
  referenced: 0,
};

function emptyResult({ target, tags }: PushTarget): PushedTo {
  return {
    repository: formatRepository(target.repository),
    tags,
    digest: undefined,
    upToDate: false,
    layers: noLayers,
    bytesSent: 0,
    error: undefined,
  };
}

/** The outcome of work at one registry; an interruption is none of its failures. */
export async function tried<T>(
  work: () => Promise<T>,
): Promise<{ readonly value?: T; readonly error?: SpacktainersError }> {
  try {
    return { value: await work() };
  } catch (thrown) {
    const error = asSpacktainersError(thrown);
    if (error.code === "INTERRUPTED") throw error;
    return { error };
  }
}
