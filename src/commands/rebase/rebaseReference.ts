/** An image that is named by itself, wherever it is published, on another base. */
import { openBaseStore } from "../../base/baseStore.ts";
import {
  type Architecture,
  architectures,
  type RegistryConfiguration,
} from "../../definitions/configuration.ts";
import { openRegistryImage, type RegistryImage } from "../../image/openRegistryImage.ts";
import { platformOf } from "../../image/platform.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { openPublishedLayers } from "../../publish/publishedLayers.ts";
import { formatRepository, type ImageName, manifestReference, type Tag } from "../../registry/reference.ts";
import type { ImageRepository } from "../../registry/registry.ts";
import { asSpacktainersError, SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { type AskedTarget, type PushedContainer, pushToAll } from "../push/pushContainer.ts";
import { inputsOf, publishedByTag } from "../push/pushTargets.ts";
import { decideRebase, type RebaseBase } from "./decideRebase.ts";
import { readImageParts } from "./imageParts.ts";
import { registryRecords } from "./imageRecords.ts";
import type { Rebased, RebaseOptions } from "./rebaseContainer.ts";

/** The images that a name stands for, rebased. */
export interface RebasedReference {
  readonly images: readonly { readonly rebased: Rebased; readonly pushed: PushedContainer }[];
  /** All that the name stands for, rebased or not. */
  readonly architectures: readonly Architecture[];
}

interface ReferenceOptions extends RebaseOptions {
  readonly base: RebaseBase["configured"];
}

/**
 * Rebases the image that a name stands for, of every architecture unless one is asked for. It goes where it came from. All
 * are made before any is pushed: where one cannot stand on the base, the registry stays as it is.
 *
 * @param arch only this one
 * @param tags to be moved to the result
 * @throws {SpacktainersError} `NOT_FOUND`; of reading the image; `LINKAGE_UNRESOLVED`, `LIBC_TOO_OLD`
 */
export async function rebaseReference(
  name: ImageName,
  { arch, tags }: { readonly arch: Architecture | undefined; readonly tags: readonly Tag[] },
  options: ReferenceOptions,
  resources: Resources,
): Promise<RebasedReference> {
  const repository = resources.registries.repository(name);
  const there = await imagesOf(repository, name, resources);
  const made: MadeRebase[] = [];
  for (const each of arch === undefined ? [...there.keys()] : [arch])
    made.push(
      await makeOne(there.get(each), { name, arch: each }, options, resources).catch((error: unknown) => {
        throw there.size === 1 ? error : ofArchitecture(error, each);
      }),
    );
  const images: RebasedReference["images"][number][] = [];
  for (const one of made) images.push(await pushOne({ name, repository, tags }, one, options, resources));
  return { images, architectures: [...there.keys()] };
}

/** A failure, with the architecture that it is of. */
function ofArchitecture(thrown: unknown, arch: Architecture): Error {
  if (thrown instanceof SpacktainersErrors)
    return new SpacktainersErrors(thrown.errors.map((error) => named(error, arch)));
  return named(asSpacktainersError(thrown), arch);
}

function named(error: SpacktainersError, arch: Architecture): SpacktainersError {
  const { code, message, place, hint } = error;
  if (code === "INTERRUPTED") return error;
  return new SpacktainersError(code, `for ${arch}: ${message}`, {
    place,
    hint: hint ?? "nothing was published; --arch rebases one architecture and leaves the others as they are",
    cause: error,
  });
}

/** An image on its new base, not pushed yet. */
interface MadeRebase extends Rebased {
  readonly arch: Architecture;
  /** The image as it is in the registry. */
  readonly image: RegistryImage;
  /** It stands on that base already. */
  readonly isSame: boolean;
}

async function makeOne(
  image: RegistryImage | undefined,
  { name, arch }: { readonly name: ImageName; readonly arch: Architecture },
  options: ReferenceOptions,
  resources: Resources,
): Promise<MadeRebase> {
  const { emit } = resources;
  if (image === undefined)
    throw new SpacktainersError("NOT_FOUND", `there is no such image for ${arch}`, {
      place: { url: `${formatRepository(name)} ${manifestReference(name)}` },
      hint: "without --arch, the existing ones are rebased",
    });
  const before = await readImageParts(image, registryRecords(image, options.believed, emit));
  const published = openPublishedLayers([image], emit);
  const wanted: RebaseBase = { configured: options.base, lock: undefined };
  const decided = await decideRebase(before, wanted, resources, { published, refresh: options.refresh });
  const isSame = inputsOf(image) === decided.inputs;
  const made = isSame && !options.makeAgain ? undefined : await decided.make();
  return { arch, image, isSame, before, made };
}

/** Where an image goes: under which name, and with which tags. */
interface PushedName {
  readonly name: ImageName;
  readonly repository: ImageRepository;
  readonly tags: readonly Tag[];
}

async function pushOne(
  { name, repository, tags }: PushedName,
  { arch, image, isSame, before, made }: MadeRebase,
  options: ReferenceOptions,
  resources: Resources,
): Promise<RebasedReference["images"][number]> {
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
  const pushTarget: AskedTarget = {
    pushTarget: { target, tags, repository },
    there: isSame ? image : undefined,
    error: undefined,
  };
  if (made !== undefined) resources.emit({ type: "stage", stage: "push-image" });
  const targets = await pushToAll([pushTarget], made, platformOf(arch), resources);
  return { rebased: { before, made }, pushed: { container, version, targets } };
}

/**
 * The images that a name stands for, by the architectures that we know.
 * @throws {SpacktainersError} `NOT_FOUND` when there is none
 */
async function imagesOf(
  repository: ImageRepository,
  name: ImageName,
  resources: Pick<Resources, "baseCacheDir">,
): Promise<ReadonlyMap<Architecture, RegistryImage>> {
  const reference = manifestReference(name);
  const found = new Map<Architecture, RegistryImage>();
  for (const arch of architectures) {
    const image = await publishedByTag(repository, reference, platformOf(arch), resources);
    if (image !== undefined && (await isForIts(image))) found.set(arch, image);
  }
  if (found.size > 0) return found;
  // Says why there is none.
  const store = openBaseStore(resources.baseCacheDir);
  const image = await openRegistryImage(repository, reference, {
    platforms: architectures.map(platformOf),
    store,
  });
  await image.config();
  return found;
}

/** Whether an image without an index is for the platform it was asked for. */
async function isForIts(image: RegistryImage): Promise<boolean> {
  return image.config().then(
    () => true,
    (error: unknown) => {
      if (error instanceof SpacktainersError && error.code === "NOT_FOUND") return false;
      throw error;
    },
  );
}
