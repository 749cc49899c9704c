/** Where an image goes, and what is there already. */
import type { Platform } from "../../archive/oci/types.ts";
import { openBaseStore } from "../../base/baseStore.ts";
import type { Configuration, RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { inputsAnnotation } from "../../image/annotations.ts";
import type { OciImage } from "../../image/image.ts";
import { findRegistryImage, type RegistryImage } from "../../image/openRegistryImage.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { publishTags, publishTarget, type RegistryTarget, type TargetNames } from "../../publish/targets.ts";
import type { Tag } from "../../registry/reference.ts";
import type { ImageRepository } from "../../registry/registry.ts";
import type { Digest } from "../../util/digest.ts";
import { asSpacktainersError } from "../../util/errors.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";

/** Questions to registries at a time. */
export const questionsAtOnce = 8;

/** One registry to push to. */
export interface PushTarget {
  readonly target: RegistryTarget;
  readonly tags: readonly Tag[];
  readonly repository: ImageRepository;
}

/**
 * Where a container goes.
 *
 * @throws {SpacktainersError} `REFERENCE_INVALID`, `CONFIG_INVALID`
 */
export function pushTargetsOf(
  container: TargetNames,
  version: string,
  registries: readonly RegistryConfiguration[],
  configuration: Configuration,
  resources: Pick<Resources, "registries">,
): readonly PushTarget[] {
  return registries.map((registry): PushTarget => {
    const at = configuration.registries.findIndex(({ url }) => url === registry.url);
    const place = configuration.placeOf(["registries", at]);
    const target = publishTarget(registry, container, place);
    return {
      target,
      tags: publishTags(registry, { ...container, version }, place),
      repository: resources.registries.repository(target.repository),
    };
  });
}

/** Digest of everything that decided an image, when we made it. */
export function inputsOf({ manifest }: OciImage): string | undefined {
  return manifest.value.annotations?.[inputsAnnotation];
}

/**
 * The image that a registry has by a tag, its manifest read; undefined when there is none, or none for the platform.
 * @throws {SpacktainersError} of the registry
 */
export async function publishedByTag(
  repository: ImageRepository,
  tag: Tag | Digest,
  platform: Platform,
  { baseCacheDir }: Pick<Resources, "baseCacheDir">,
): Promise<RegistryImage | undefined> {
  const store = openBaseStore(baseCacheDir);
  return findRegistryImage(repository, tag, { platforms: [platform], store }).catch((error: unknown) => {
    // Something else may have this tag: what it is to stand for is put there.
    const { code } = asSpacktainersError(error);
    if (code === "NOT_FOUND" || code === "NOT_SUPPORTED") return undefined;
    throw error;
  });
}

/** The images of a container that a registry has by the tags that it is to have. */
export async function publishedThere(
  { repository, tags }: PushTarget,
  platform: Platform,
  resources: Pick<Resources, "baseCacheDir">,
): Promise<readonly RegistryImage[]> {
  const found = await mapConcurrently(tags, questionsAtOnce, (tag) =>
    publishedByTag(repository, tag, platform, resources),
  );
  const images = found.flatMap((image) => (image === undefined ? [] : [image]));
  return [...new Map(images.map((image) => [image.manifest.descriptor.digest, image])).values()];
}

/** Images of the repository's other containers in the same registries. What cannot be asked is not there. */
export async function neighboursThere(
  pushTargets: readonly PushTarget[],
  neighbours: readonly Container[],
  platform: Platform,
  resources: Resources,
): Promise<readonly RegistryImage[]> {
  const questions = pushTargets.flatMap(({ target }) =>
    neighbours.map((neighbour) => {
      const { repository } = publishTarget(target.configuration, neighbour, {});
      // Of tags, those that do not depend on a version that is not known here.
      const fixed = target.configuration.tags.filter((tag) => !tag.includes("{version}"));
      return { repository, tags: publishTags({ tags: fixed }, { ...neighbour, version: "" }, {}) };
    }),
  );
  const found = await mapConcurrently(questions, questionsAtOnce, async ({ repository, tags }) => {
    const [tag] = tags;
    if (tag === undefined) return undefined;
    const opened = resources.registries.repository(repository);
    return publishedByTag(opened, tag, platform, resources).catch((error: unknown) => {
      resources.signal.throwIfAborted();
      if (asSpacktainersError(error).code === "INTERRUPTED") throw error;
      return undefined;
    });
  });
  return found.flatMap((image) => (image === undefined ? [] : [image]));
}
