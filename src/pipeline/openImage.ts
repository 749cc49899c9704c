/** What a command line means by an image: a container of the repository, a layout, or a name for somewhere else. */
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { readOciLayout } from "../archive/oci/readOciLayout.ts";
import { architectures } from "../definitions/configuration.ts";
import type { Container, Repository } from "../definitions/repository.ts";
import { selectContainers } from "../definitions/select.ts";
import type { ImageFacts } from "../hpc/imageFacts.ts";
import { type ImageFactsContext, readImageFacts } from "../hpc/readImageFacts.ts";
import { platformOf } from "../image/image.ts";
import { SpacktainersError } from "../util/errors.ts";
import { asArchitecture } from "./architecture.ts";
import { defaultOutput, readLayoutImage } from "./builtImage.ts";

/** An image, as far as it is known. */
export interface NamedImage {
  /** For people and for the names of jobs. */
  readonly name: string;
  readonly container: Container | undefined;
  /** Directory of its layout, when it is here. */
  readonly layout: string | undefined;
  readonly version: string | undefined;
}

/**
 * Finds an image by name.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `USAGE` when several containers have the name
 */
export async function findImage(
  text: string,
  repository: Repository,
  { directory, arch }: { readonly directory: string; readonly arch: string | undefined },
): Promise<NamedImage> {
  const path = resolve(directory, text);
  if (await isLayout(path)) {
    const image = await readLayoutImage(path);
    return { name: basename(path), container: undefined, layout: path, version: image?.version };
  }
  const wanted = asArchitecture(arch);
  const found = await selectContainers(repository, {
    names: [text],
    cwd: directory,
    ...(wanted === undefined ? {} : { arch: wanted }),
  }).catch((error: unknown) => {
    // A reference or a file of somewhere else.
    if (error instanceof SpacktainersError && isElsewhere(text)) return [];
    throw error;
  });
  const [container, other] = found;
  if (container === undefined)
    return { name: shortName(text), container: undefined, layout: undefined, version: undefined };
  if (other !== undefined)
    throw new SpacktainersError("USAGE", `${text} is more than one container`, {
      hint: `write ${container.arch}/${container.name} or ${other.arch}/${other.name}`,
    });
  const layout = defaultOutput(repository.configuration.output, container);
  if (!(await isLayout(layout)))
    return { name: container.name, container, layout: undefined, version: undefined };
  const image = await readLayoutImage(layout);
  return { name: container.name, container, layout, version: image?.version };
}

function isElsewhere(text: string): boolean {
  return (
    /\.sif$/.test(text) ||
    /^[\w.-]+(?::\d+)?\/[\w./-]+(?:[:@][\w.:-]+)?$/.test(text) ||
    text.startsWith("/") ||
    text.startsWith("$")
  );
}

function shortName(text: string): string {
  return basename(text.replace(/@sha256:.*$/, "").replace(/:[^/:]*$/, "")).replace(/\.sif$/, "");
}

async function isLayout(path: string): Promise<boolean> {
  return stat(join(path, "oci-layout")).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

/** Facts of the image in a layout, for whichever architecture it is. */
export async function factsOfLayout(layout: string, context: ImageFactsContext): Promise<ImageFacts> {
  let failure: unknown;
  for (const architecture of architectures)
    try {
      const image = await readOciLayout(layout, { platform: platformOf(architecture), verifyLayers: false });
      return await readImageFacts(image, context);
    } catch (thrown) {
      failure ??= thrown;
      if (!(thrown instanceof SpacktainersError) || thrown.code !== "NOT_FOUND") throw thrown;
    }
  throw failure;
}
