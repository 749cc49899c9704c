/** What registries have of a container. */

import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/container.ts";
import type { LayerStore } from "../../image/layerStore.ts";
import { findRegistryImage, type RegistryImage } from "../../image/openRegistryImage.ts";
import { platformOf } from "../../image/platform.ts";
import { publishTarget } from "../../publish/targets.ts";
import { type Registries, usesPlainHttp } from "../../registry/openRegistries.ts";
import { formatRepository, type Tag } from "../../registry/reference.ts";
import { listTags } from "../../registry/tags.ts";
import { asSpacktainersError } from "../../util/errors.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";

/** An image of a container that is published. */
export interface PublishedVersion {
  /** In the first registry that has it. */
  readonly image: RegistryImage;
  /** Shortest first. */
  readonly tags: readonly Tag[];
  /** `HOST/PATH` of all registries that have it, in the configuration's order. */
  readonly repositories: readonly string[];
  readonly plainHttp: boolean;
}

/** Where is asked. */
export interface PublishedQuestion {
  readonly configuration: Configuration;
  readonly registries: Registries;
  readonly store: LayerStore;
  readonly signal: AbortSignal;
  /** Told of what could not be reached or read. */
  readonly onMissing: (what: string, thrown: unknown) => void;
}

const questionsAtOnce = 8;

/** Tags that stand for what is attached to an image, by its digest (cosign, and the OCI's fallback for referrers). */
const ofArtifacts = /^sha256-[0-9a-f]{64}(?:\.\w+)?$/;

/**
 * All images of a container that the configured registries have by a tag, each once.
 * Images that cannot be read are reported and left out.
 */
export async function publishedVersions(
  container: Container,
  question: PublishedQuestion,
): Promise<readonly PublishedVersion[]> {
  const found = new Map<string, PublishedVersion>();
  const { configuration, signal, onMissing } = question;
  for (const at of configuration.registries.keys()) {
    const versions = await versionsIn(at, container, question).catch((thrown: unknown) => {
      stopIfAborted(signal);
      onMissing(`the images of ${container.name} in ${configuration.registries[at]?.url}`, thrown);
      return [];
    });
    for (const version of versions) {
      const { digest } = version.image.manifest.descriptor;
      const known = found.get(digest);
      found.set(
        digest,
        known === undefined
          ? version
          : {
              ...known,
              tags: [...new Set([...known.tags, ...version.tags])].sort(byLength),
              repositories: [...new Set([...known.repositories, ...version.repositories])],
            },
      );
    }
  }
  return [...found.values()];
}

async function versionsIn(
  at: number,
  container: Container,
  { configuration, registries, store, signal, onMissing }: PublishedQuestion,
): Promise<readonly PublishedVersion[]> {
  const registry = configuration.registries[at];
  if (registry === undefined) return [];
  const target = publishTarget(registry, container, configuration.placeOf(["registries", at]));
  const repository = registries.repository(target.repository);
  const name = formatRepository(target.repository);
  const tags = ((await listTags(repository)) ?? []).filter((tag) => !ofArtifacts.test(tag));
  const platforms = [platformOf(container.arch)];
  const images = await mapConcurrently(tags, questionsAtOnce, async (tag) => {
    try {
      const image = await findRegistryImage(repository, tag, { platforms, store });
      // An image without an index says only by its configuration for which architecture it is.
      return image !== undefined && (await image.config()).value.architecture === container.arch
        ? [{ tag, image }]
        : [];
    } catch (thrown) {
      stopIfAborted(signal);
      // Of another architecture, or no image at all.
      const { code } = asSpacktainersError(thrown);
      if (code !== "NOT_FOUND" && code !== "NOT_SUPPORTED") onMissing(`${name}:${tag}`, thrown);
      return [];
    }
  });
  const plainHttp = usesPlainHttp(target.repository.host, configuration.registries);
  const byDigest = new Map<string, PublishedVersion>();
  for (const { tag, image } of images.flat()) {
    const { digest } = image.manifest.descriptor;
    const known = byDigest.get(digest) ?? { image, tags: [], repositories: [name], plainHttp };
    byDigest.set(digest, { ...known, tags: [...known.tags, tag].sort(byLength) });
  }
  return [...byDigest.values()];
}

function byLength(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}
