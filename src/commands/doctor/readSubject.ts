/** The images that `doctor` examines: what each site runs under a name. */
import { didYouMean } from "../../definitions/nearest.ts";
import type { Repository } from "../../definitions/repository.ts";
import { type Finding, ok } from "../../hpc/finding.ts";
import type { ImageProfile } from "../../hpc/imageProfile.ts";
import { readImageProfile } from "../../hpc/readImageProfile.ts";
import type { Site } from "../../hpc/site.ts";
import { findImage, formText, type ImageSubject } from "../../pipeline/images/findImage.ts";
import { openSubject, registryPatience, standIn } from "../../pipeline/images/openSubject.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { imageAtSite, imageThatRuns } from "../job/imageThatRuns.ts";

/** How to read images. */
export interface ReadRequest {
  /** What relative paths start from. */
  readonly directory: string;
  readonly arch: string | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What a command line calls an image, and what runs under that name. */
export interface DoctorSubject {
  readonly name: string;
  /** By site; `undefined` for this machine. */
  readonly profiles: ReadonlyMap<Site | undefined, ReadImage>;
}

/** An image that was read. */
export interface ReadImage {
  readonly profile: ImageProfile;
  /** What is to be said of how it was found. */
  readonly found: readonly Finding[];
}

/** What is neither a site nor a container may be meant for either. */
function unknownSubject(error: unknown, name: string, { configuration, containers }: Repository): unknown {
  if (!(error instanceof SpacktainersError) || error.code !== "UNKNOWN_CONTAINER") return error;
  const sites = [...configuration.sites.keys()];
  const hint = didYouMean(name, [...sites, ...containers.map((container) => container.name)]);
  if (hint === undefined) return error;
  return new SpacktainersError("UNKNOWN_CONTAINER", `there is no site \`${name}\`, and no container`, {
    hint,
  });
}

/**
 * Finds and reads what each site runs of an image, each one once; for this machine where no site is named. A site may name another
 * image than the first registry has.
 *
 * @param name a container's name, or an image in any form that `findImage` knows
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER` with a hint where a site may be meant; of finding, opening and reading images
 */
export async function readSubject(
  name: string,
  sites: readonly Site[],
  request: ReadRequest,
  repository: Repository,
): Promise<DoctorSubject> {
  const subject = await findImage(name, repository, request).catch((error: unknown) => {
    throw unknownSubject(error, name, repository);
  });
  const read = onceForEach((one: ImageSubject) => readImage(one, request, repository));
  const profiles = new Map<Site | undefined, ReadImage>();
  if (sites.length === 0) profiles.set(undefined, await read(subject));
  for (const site of sites) {
    const location = imageAtSite(site, subject);
    if (location === undefined) {
      profiles.set(site, await read(subject));
      continue;
    }
    const there = await imageThatRuns(subject, location, repository, request);
    if (there.runsOther) {
      profiles.set(site, withWarning(await read(subject), location, undefined));
      continue;
    }
    profiles.set(
      site,
      await read(there.subject).catch(async (error: unknown) => {
        // A site may see registries that this machine does not.
        if (there.subject === subject || request.signal.aborted) throw error;
        return withWarning(await read(subject), location, asSpacktainersError(error));
      }),
    );
  }
  return { name: subject.name, profiles };
}

/** A function whose results are kept, so that it does its work once for each subject. */
function onceForEach<T>(work: (subject: ImageSubject) => Promise<T>): (subject: ImageSubject) => Promise<T> {
  const results = new Map<string, Promise<T>>();
  return (subject) => {
    const key = subject.form === undefined ? "" : formText(subject.form);
    const result = results.get(key) ?? work(subject);
    results.set(key, result);
    return result;
  };
}

/** Says that a site runs another image than the one that was read. */
function withWarning(
  { profile, found }: ReadImage,
  location: string,
  why: SpacktainersError | undefined,
): ReadImage {
  const warning: Finding = {
    severity: "warning",
    check: "image",
    message: `the site runs ${location}, which ${why === undefined ? "cannot be read from here" : `cannot be read: ${why.message}`}`,
    evidence: ["`image:` of the site"],
    remedy: "run `spacktainers doctor` at the site, with the image as it is named there",
  };
  return { profile, found: [...found, warning] };
}

/** Whether a site names it, for a container. */
function isOfSite(
  subject: ImageSubject,
): subject is ImageSubject & { readonly form: NonNullable<ImageSubject["form"]> } {
  return subject.container !== undefined && subject.found === "said" && subject.form !== undefined;
}

/** Opens an image and reads its profile. */
async function readImage(
  subject: ImageSubject,
  request: ReadRequest,
  repository: Repository,
): Promise<ReadImage> {
  const { arch, emit, signal } = request;
  const { registries } = repository.configuration;
  const image = await openSubject(subject, { arch, registries, emit, signal, patience: registryPatience });
  try {
    const profile = await readImageProfile(image, { cache: cacheHome(), emit, signal });
    const other = standIn(subject, image);
    const read = other ?? image.reference ?? (isOfSite(subject) ? formText(subject.form) : undefined);
    const message =
      other === undefined
        ? `${read} was read`
        : `it is not built here; ${other}, which is ${subject.found}, was read`;
    return { profile, found: read === undefined ? [] : [ok("image", message, read)] };
  } finally {
    await image.close();
  }
}
