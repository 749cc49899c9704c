import type { OpenImage } from "../sif/imageContents.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";

/** An image in a registry, in the words of a definition file or a command line. */
export interface ImageReference {
  /** `docker`: a container image. `oras`: a SIF file that was pushed as an artifact. */
  readonly transport: "docker" | "oras";
  /** `name[:tag][@digest]`, with or without a registry in front. */
  readonly name: string;
  /** The linux image to take of one for several architectures. */
  readonly architecture: string;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Opens an image of a registry: its configuration, and layers that can each be read twice.
 * @returns with an `origin` whose `from` names the image by its digest
 */
export type OpenReference = (reference: ImageReference) => Promise<OpenImage>;

/**
 * The one place where images of registries come in.
 * @throws {SpacktainersError} `NOT_SUPPORTED`
 */
export const openReference: OpenReference = async ({ transport, name }) => {
  throw new SpacktainersError(
    "NOT_SUPPORTED",
    `${transport}://${name} is in a registry, which is not read here`,
    {
      hint: `fetch it first: skopeo copy docker://${name} oci-archive:image.tar, and use oci-archive:image.tar`,
    },
  );
};
