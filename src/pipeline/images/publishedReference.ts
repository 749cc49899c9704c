import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Repository as DefinitionRepository } from "../../definitions/repository.ts";
import { publishTags, publishTarget } from "../../publish/targets.ts";
import {
  formatReference,
  type ImageName,
  manifestReference,
  parseReference,
  type RepositoryName,
  type Tag,
} from "../../registry/reference.ts";
import type { Digest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { selectOne } from "../workspace/selectOne.ts";

/** An image in a registry, as a command line names it. */
export interface PublishedReference {
  readonly repository: RepositoryName;
  readonly reference: Tag | Digest;
  /** For people. */
  readonly text: string;
}

/** How a command line names an image in a registry. */
export interface PublishedReferenceRequest {
  readonly directory: string;
  /** A container's name, or `[docker://]HOST/PATH[:TAG][@DIGEST]`. */
  readonly image: string;
  readonly arch: string | undefined;
}

/** Whether a word can only be the name of an image in a registry: it says so, or has a host, and no such file is there. */
export async function namesRegistryImage(directory: string, image: string): Promise<boolean> {
  if (image.startsWith("docker://")) return true;
  const slash = image.indexOf("/");
  const first = image.slice(0, Math.max(0, slash));
  // `oci:` and a directory is no host and port.
  const isHost = /^(?:localhost|[^:]*\.[^:]*|(?:[^:]+|\[[0-9a-f:]+\]):\d{1,5})$/i.test(first);
  if (!isHost || /^\.{1,2}$/.test(first)) return false;
  return stat(resolve(directory, image)).then(
    () => false,
    () => true,
  );
}

/**
 * Finds out which image in a registry is meant. A container's name stands for its image in the first registry of the
 * configuration, by the first tag that does not depend on a version.
 *
 * @throws {SpacktainersError} `REFERENCE_INVALID`, `UNKNOWN_CONTAINER`, `CONFIG_INVALID` when no registry is configured
 */
export async function publishedReference(
  request: PublishedReferenceRequest,
  definitions: DefinitionRepository,
): Promise<PublishedReference> {
  if (await namesRegistryImage(request.directory, request.image))
    return ofName(parseReference(request.image.replace(/^docker:\/\//, "")));
  const container = await selectOne(request.image, definitions, request);
  const [registry] = definitions.configuration.registries;
  if (registry === undefined)
    throw new SpacktainersError("CONFIG_INVALID", "no registry is configured", {
      hint: "write `registries: [{ url: ghcr.io/my-org }]` in spacktainers.yaml, or name the image: ghcr.io/my-org/tool:1.0",
    });
  const place = definitions.configuration.placeOf(["registries", 0]);
  const { repository } = publishTarget(registry, container, place);
  const fixed = registry.tags.filter((tag) => !tag.includes("{version}"));
  const [tag] = publishTags({ tags: fixed }, { ...container, version: "" }, place);
  return ofName({ ...repository, tag: tag ?? ("latest" as Tag), digest: undefined });
}

function ofName(name: ImageName): PublishedReference {
  const { host, path } = name;
  return { repository: { host, path }, reference: manifestReference(name), text: formatReference(name) };
}
