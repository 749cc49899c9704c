/** Images opened, in whatever form a command line names them. */
import type { Platform } from "../../archive/oci/types.ts";
import { architectures, type RegistryConfiguration } from "../../definitions/configuration.ts";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import type { Repository } from "../../definitions/repository.ts";
import type { Image } from "../../image/image.ts";
import { openSource } from "../../image/openSource.ts";
import { platformOf } from "../../image/platform.ts";
import { openLocalImage } from "../../sif/openLocalImage.ts";
import { asSpacktainersError, errorCodes, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { asArchitecture } from "../workspace/architecture.ts";
import { findImage, type ImageForm, type ImageQuestion, type ImageSubject } from "./findImage.ts";
import { type OpenReference, referenceOpener } from "./openReference.ts";

/** How long a registry may take before it counts as out of reach, in milliseconds: many machines of a cluster reach none. */
export const registryPatience = 30_000;

/** How to open. */
export interface OpenImageContext {
  /** The architecture asked for; undefined: whichever the image is for, this machine's first. */
  readonly arch: string | undefined;
  /** Registries of the configuration, for their credentials. */
  readonly registries: readonly RegistryConfiguration[];
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
  /** Opens images of registries; default: with the configuration. */
  readonly open?: OpenReference | undefined;
  /** See `referenceOpener`. */
  readonly patience?: number | undefined;
}

/** The platforms that an architecture stands for; undefined: all that we know, this machine's first. */
export function platformsFor(arch: string | undefined): readonly Platform[] {
  const wanted = asArchitecture(arch);
  if (wanted !== undefined) return [platformOf(wanted)];
  const host = hostArchitecture();
  return [host, ...architectures.filter((one) => one !== host)].map(platformOf);
}

/**
 * Opens an image in the form it was named.
 * @throws {SpacktainersError} of opening images
 */
export async function openForm(form: ImageForm, context: OpenImageContext): Promise<Image> {
  const { arch, registries, emit, signal, patience } = context;
  const platforms = platformsFor(arch);
  if (form.kind === "source") return openSource(form.source, platforms);
  if (form.kind === "local") return openLocalImage(form.path, platforms);
  const { transport, name } = form;
  const open = context.open ?? referenceOpener(registries, { patience });
  return open({ transport, name, platforms, emit, signal });
}

/**
 * Opens the image that a subject stands for.
 *
 * @throws {SpacktainersError} `NOT_FOUND` when nothing of it is here, and nothing is published or can be read; of opening images
 */
export async function openSubject(subject: ImageSubject, context: OpenImageContext): Promise<Image> {
  const { form, found, name, container } = subject;
  const hint = `spacktainers build ${name}`;
  if (form === undefined)
    throw container === undefined
      ? new SpacktainersError("NOT_FOUND", `${name} is not here`, {
          hint: "no container or image has this name; an image in a registry is docker://NAME",
        })
      : new SpacktainersError(
          "NOT_FOUND",
          `${name} is not built yet, and no registry is configured that could have it`,
          { place: { file: container.path }, hint },
        );
  if (found !== "published") return openForm(form, context);
  // The architecture of a container is that of its image.
  const arch = context.arch ?? container?.arch;
  return openForm(form, { ...context, arch }).catch((cause: unknown) => {
    const { code, message } = asSpacktainersError(cause);
    if (context.signal.aborted || errorCodes[code] !== "unavailable") throw cause;
    throw new SpacktainersError(
      "NOT_FOUND",
      `${name} is not built yet, and what is published cannot be read: ${message}`,
      { place: container && { file: container.path }, hint, cause },
    );
  });
}

/** Where an image in place of one that was built came from: its reference or path; undefined when it was built, or named so. */
export function standIn({ found, form }: ImageSubject, image: Pick<Image, "reference">): string | undefined {
  if (found === "pulled" && form?.kind === "local") return form.path;
  return found === "published" ? image.reference : undefined;
}

/** An image that was found and opened. */
export interface FoundImage {
  readonly subject: ImageSubject;
  readonly image: Image;
}

/**
 * Finds what a command line means, opens it, and closes it after use. Reports it when something other than the container's
 * output is used.
 *
 * @param text any form that `findImage` knows
 * @throws {SpacktainersError} of finding and opening images; what `use` throws
 */
export async function withImage<T>(
  text: string,
  repository: Repository,
  question: ImageQuestion & Pick<OpenImageContext, "emit" | "signal" | "open">,
  use: (found: FoundImage) => Promise<T>,
): Promise<T> {
  const subject = await findImage(text, repository, question);
  const { emit, signal, open } = question;
  const arch = question.arch ?? (question.preferHost === true ? hostArchitecture() : undefined);
  const image = await openSubject(subject, {
    arch,
    registries: repository.configuration.registries,
    emit,
    signal,
    open,
  });
  try {
    const other = standIn(subject, image);
    if (other !== undefined)
      emit({
        type: "warning",
        code: "NOTICE",
        message: `${subject.name} is not built here: ${other}, which is ${subject.found}, is used`,
        hint: `spacktainers build ${subject.name}`,
      });
    return await use({ subject, image });
  } finally {
    await image.close();
  }
}
