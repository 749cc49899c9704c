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
import { findForm, namesRegistryImage } from "./findImage.ts";

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
  /** A container's name, or `[docker://|oras://]HOST/PATH[:TAG][@DIGEST]`. */
  readonly image: string;
  readonly arch: string | undefined;
}

/**
 * Finds out which image in a registry is meant. A container's name stands for its image in the first registry of the
 * configuration, by the first tag that does not depend on a version.
 *
 * @throws {SpacktainersError} `REFERENCE_INVALID`, `UNKNOWN_CONTAINER`, `CONFIG_INVALID` when no registry is configured,
 *   `NOT_SUPPORTED` for an image on this machine
 */
export async function publishedReference(
  request: PublishedReferenceRequest,
  definitions: DefinitionRepository,
): Promise<PublishedReference> {
  const { directory, image } = request;
  const form = await findForm(image, directory);
  if (form?.kind === "reference") return ofName(parseReference(form.name));
  if (form !== undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${image} is in no registry, where signatures are attached`,
      {
        hint:
          form.kind === "local"
            ? "sif --sign and sif verify sign and verify SIF files; for a registry, name a container, docker://NAME or oras://NAME"
            : "push it, then name the container, docker://NAME or oras://NAME",
      },
    );
  if (await namesRegistryImage(directory, image)) return ofName(parseReference(image));
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
