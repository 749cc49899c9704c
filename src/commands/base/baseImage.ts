/** The builder and runtime images: where they are made from, and what they are called. */
import { SpacktainersError } from "../../util/errors.ts";
import { findProgram } from "../../util/tool.ts";

/** The images, and the folders of the repository that they are made in. */
export const baseImages = ["builder", "runtime"] as const;
export type BaseImageName = (typeof baseImages)[number];

/** Programs that can make them, in the order in which they are tried. */
export const buildTools = ["podman", "buildah", "docker"] as const;
export type BuildTool = (typeof buildTools)[number];

/** The tag by which Dockerfiles name an image on this machine. */
export function localTag(name: BaseImageName): string {
  return `local_${name}`;
}

/**
 * The program that makes images here.
 *
 * @param wanted undefined: the first that is installed
 * @throws SpacktainersError RUNTIME_MISSING
 */
export async function findBuildTool(wanted: BuildTool | undefined): Promise<BuildTool> {
  for (const tool of wanted === undefined ? buildTools : [wanted])
    if ((await findProgram(tool)) !== undefined) return tool;
  throw new SpacktainersError(
    "RUNTIME_MISSING",
    wanted === undefined
      ? "neither Podman, nor Buildah, nor Docker is installed"
      : `${wanted} is not installed`,
    { hint: "one of them has to make the builder and runtime images" },
  );
}

/** Which images a command line names; none: both. @throws SpacktainersError USAGE */
export function namedBaseImages(names: readonly string[]): readonly BaseImageName[] {
  if (names.length === 0) return baseImages;
  return names.map((name) => {
    const found = baseImages.find((one) => one === name);
    if (found !== undefined) return found;
    throw new SpacktainersError("USAGE", `there is no base image ${name}`, {
      hint: "the base images are builder and runtime",
    });
  });
}
