/** `ci publish` and `ci rebase`: images to the registries of an environment, SIF files of them to where it has them. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CiConfiguration, CiEnvironment } from "../../definitions/ciConfiguration.ts";
import { convertImage } from "../../pipeline/images/convertImage.ts";
import type { ImageSettingsRequest } from "../../pipeline/workspace/buildRequest.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { removeTree } from "../../util/removeTree.ts";
import type { PushResult } from "../push/moveTags.ts";
import { pushContainers } from "../push/pushContainers.ts";
import { type PushedSif, pushSif } from "../sif/pushSif.ts";

/** A command line of `ci publish`. */
export interface PublishImagesRequest extends ImageSettingsRequest {
  /** Name of an environment. */
  readonly environment: string;
}

/** A SIF file that was published. */
export interface PublishedSif extends PushedSif {
  readonly name: string;
  readonly arch: string;
}

/** What was published. */
export interface PublishedImages {
  readonly rows: readonly PushResult[];
  readonly files: readonly PublishedSif[];
  readonly errors: readonly SpacktainersError[];
}

/**
 * Publishes containers to an environment: to its registries, with its tags, and as SIF files. A SIF file is made only of what was
 * published.
 *
 * @throws SpacktainersError USAGE for an environment that there is not; as `pushContainers`, `convertImage` and `pushSif`
 */
export async function publishImages(request: PublishImagesRequest): Promise<PublishedImages> {
  const { configuration } = await openSoundRepository(request.directory);
  const environment = environmentNamed(configuration.ci, request.environment);
  const publishes = configuration.registries.length > 0 && environment.registries?.length !== 0;
  const { rows, errors } = publishes
    ? await pushContainers({
        ...request,
        registries: environment.registries ?? [],
        tags: environment.tags,
        force: false,
      })
    : { rows: [], errors: [] };
  const files: PublishedSif[] = [];
  if (environment.sif !== undefined && errors.length === 0)
    for (const name of request.names) files.push(await publishSif(name, environment.sif, request));
  return { rows, files, errors };
}

/** The environment of a name. @throws SpacktainersError USAGE */
export function environmentNamed({ environments }: CiConfiguration, name: string): CiEnvironment {
  const found = environments.find((environment) => environment.name === name);
  if (found !== undefined) return found;
  throw new SpacktainersError("USAGE", `there is no environment \`${name}\``, {
    hint: `\`ci: environments:\` of spacktainers.yaml has ${environments.map((one) => one.name).join(", ")}`,
  });
}

/** Makes a SIF file of an image and publishes it. */
export async function publishSif(
  name: string,
  destination: string,
  { directory, arch, emit, signal }: Pick<ImageSettingsRequest, "directory" | "arch" | "emit" | "signal">,
): Promise<PublishedSif> {
  const folder = await mkdtemp(join(tmpdir(), "spacktainers-sif-"));
  try {
    const made = await convertImage({
      directory,
      source: name,
      arch,
      output: join(folder, `${name}.sif`),
      format: "sif",
      compression: undefined,
      level: undefined,
      signer: undefined,
      force: false,
      emit,
      signal,
    });
    const address = destination.replaceAll("{name}", name).replaceAll("{arch}", arch ?? "");
    const pushed = await pushSif({
      directory,
      path: made.path,
      destination: address,
      image: undefined,
      emit,
      signal,
    });
    return { ...pushed, name, arch: arch ?? "" };
  } finally {
    await removeTree(folder);
  }
}
