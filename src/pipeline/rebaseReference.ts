/** An image that is named by itself, wherever it is published, on another base. */
import { parseIndex } from "../archive/oci/parse.ts";
import { isIndexType } from "../archive/oci/types.ts";
import {
  type Architecture,
  architectures,
  type RegistryConfiguration,
} from "../definitions/configuration.ts";
import { platformOf } from "../image/image.ts";
import { readPublishedImage } from "../publish/publishedImage.ts";
import { openPublishedLayers } from "../publish/publishedLayers.ts";
import { getManifest } from "../registry/manifests.ts";
import { formatRepository, type ImageName, manifestReference, type Tag } from "../registry/reference.ts";
import type { Repository } from "../registry/registry.ts";

import { SpacktainersError } from "../util/errors.ts";
import { readAssembledImage } from "./assembledImage.ts";
import { type AskedGoal, type PushedContainer, pushToAll } from "./pushContainer.ts";
import type { Rebased, RebaseOptions } from "./rebaseContainer.ts";
import { decideRebase, type WantedBase } from "./rebaseImage.ts";
import { publishedSource } from "./rebaseSource.ts";
import type { Workshop } from "./workshop.ts";

/** The images that a name stands for, rebased. */
export interface RebasedReference {
  readonly images: readonly { readonly rebased: Rebased; readonly pushed: PushedContainer }[];
  /** All that the name stands for, rebased or not. */
  readonly architectures: readonly Architecture[];
}

/**
 * Rebases the image that a name stands for, of every architecture unless one is asked for. It goes where it came from.
 *
 * @param arch only this one
 * @param tags to be moved to the result
 * @throws {SpacktainersError} `NOT_FOUND`; of reading the image; `LINKAGE_UNRESOLVED`, `LIBC_TOO_OLD`
 */
export async function rebaseReference(
  name: ImageName,
  arch: Architecture | undefined,
  tags: readonly Tag[],
  options: RebaseOptions & { readonly base: WantedBase["configured"] },
  workshop: Workshop,
): Promise<RebasedReference> {
  const repository = workshop.registries.repository(name);
  const there = await architecturesOf(repository, name);
  const images: RebasedReference["images"][number][] = [];
  for (const each of arch === undefined ? there : [arch])
    images.push(await rebaseOne(repository, name, each, tags, options, workshop));
  return { images, architectures: there };
}

async function rebaseOne(
  repository: Repository,
  name: ImageName,
  arch: Architecture,
  tags: readonly Tag[],
  options: Parameters<typeof rebaseReference>[3],
  workshop: Workshop,
): Promise<RebasedReference["images"][number]> {
  const { emit } = workshop;
  const platform = platformOf(arch);
  const image = await readPublishedImage(repository, manifestReference(name), platform);
  if (image === undefined || (await image.config()).architecture !== arch)
    throw new SpacktainersError("NOT_FOUND", `there is no such image for ${arch}`, {
      place: { url: `${formatRepository(name)} ${manifestReference(name)}` },
    });
  const before = await readAssembledImage(await publishedSource(image, emit));
  const published = openPublishedLayers([image], emit);
  const wanted: WantedBase = { configured: options.base, lock: undefined };
  const decided = await decideRebase(before, wanted, workshop, { published, refresh: options.refresh });
  const isSame = image.inputs === decided.inputs;
  const made = isSame && !options.anew ? undefined : await decided.make();
  const container = { name: before.names.name, arch };
  const { version } = before.names;
  if (options.dryRun) return { rebased: { before, made }, pushed: { container, version, targets: [] } };
  const { host, path } = name;
  const configuration: RegistryConfiguration = {
    type: "oci",
    url: host,
    repository: path,
    tags,
    username: undefined,
    password: undefined,
  };
  const target = { configuration, host, scheme: undefined, repository: { host, path } };
  const goal: AskedGoal = {
    goal: { target, tags, repository },
    there: isSame ? image : undefined,
    error: undefined,
  };
  if (made !== undefined) emit({ type: "stage", stage: "Pushing the image" });
  const targets = await pushToAll([goal], made, platform, workshop);
  return { rebased: { before, made }, pushed: { container, version, targets } };
}

/** The architectures that a name has images for, as far as we know them. */
async function architecturesOf(repository: Repository, name: ImageName): Promise<readonly Architecture[]> {
  const reference = manifestReference(name);
  const place = { url: `${formatRepository(name)} ${reference}` };
  const found = await getManifest(repository, reference);
  if (found === undefined)
    throw new SpacktainersError("NOT_FOUND", "there is no such image", {
      place,
      hint: "check its name and tag; a private one needs credentials",
    });
  if (isIndexType(found.mediaType)) {
    const named = parseIndex(found.bytes, place).manifests.map(({ platform }) => platform?.architecture);
    return architectures.filter((each) => named.includes(each));
  }
  const image = await readPublishedImage(repository, reference, platformOf("amd64"));
  const own = (await image?.config())?.architecture;
  return architectures.filter((each) => each === own);
}
