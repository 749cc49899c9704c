import { stat } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { openCacheSet } from "../../buildcache/cacheSet.ts";
import type { Container, Repository } from "../../definitions/repository.ts";
import { openEnvironment } from "../../pipeline/choose/openEnvironment.ts";
import { resolvePackages } from "../../pipeline/choose/resolvePackages.ts";
import {
  listResolved,
  type PackageListing,
  readImageListing,
  readLockListing,
} from "../../pipeline/describe/packageListing.ts";
import { findImage, formText, type ImageSubject, layoutOf } from "../../pipeline/images/findImage.ts";
import { openSubject } from "../../pipeline/images/openSubject.ts";
import { selectOne } from "../../pipeline/workspace/selectOne.ts";
import { cacheSources, openRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { type PackageDifferences, packageDifferences } from "../explain/packageDifferences.ts";

/** A command line of `diff`. */
export interface DiffRequest {
  readonly directory: string;
  /**
   * Each a container's name, a lock, or an image in any form that `findImage` knows; `lock:`, `image:` or `caches:` in front says
   * which of a container.
   */
  readonly before: string;
  /** Undefined: what a build of the container `before` would give now; `before` is then its image. */
  readonly after: string | undefined;
  readonly arch: string | undefined;
  readonly caches: readonly string[];
  readonly trust: readonly string[];
  readonly refresh: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

type Origin = PackageListing["origin"];
const origins: readonly Origin[] = ["lock", "image", "caches"];

/**
 * Compares two containers, locks or images by package.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `USAGE`; of reading locks and images and of choosing from caches
 */
export async function diffImages(request: DiffRequest): Promise<PackageDifferences> {
  const repository = await openRepository(request.directory);
  if (request.after === undefined) await expectContainer(plain(request.before), repository, request);
  const after = request.after ?? plain(request.before);
  const before = request.after === undefined ? `image:${plain(request.before)}` : request.before;
  // Without a second one, the image is held against what a build would give, never against itself.
  const preferred: readonly Origin[] =
    request.after === undefined ? ["lock", "caches"] : ["lock", "image", "caches"];
  return packageDifferences(
    await openListing(before, repository, request, ["lock", "image", "caches"]),
    await openListing(after, repository, request, preferred),
  );
}

/** Refuses what no build gives: there is nothing to compare it with. */
async function expectContainer(name: string, repository: Repository, request: DiffRequest): Promise<void> {
  const { container, form } = await findImage(name, repository, request);
  if (container === undefined && form !== undefined)
    throw new SpacktainersError(
      "USAGE",
      `${name} is not a container, so it needs something to compare it with`,
      {
        hint: `spacktainers diff ${name} CONTAINER`,
      },
    );
}

/** A name without what says where to look. */
function plain(text: string): string {
  const origin = origins.find((each) => text.startsWith(`${each}:`));
  return origin === undefined ? text : text.slice(origin.length + 1);
}

async function openListing(
  text: string,
  repository: Repository,
  request: DiffRequest,
  preferred: readonly Origin[],
): Promise<PackageListing> {
  const forced = origins.find((each) => text.startsWith(`${each}:`));
  const name = plain(text);
  const path = resolve(request.directory, name);
  if (forced !== "caches" && name.endsWith(".lock") && (await isFile(path)))
    return readLockListing(path, shown(path, request));
  const subject = await findImage(name, repository, request);
  if (subject.container === undefined && forced !== "caches") return fromImage(subject, repository, request);
  const container = await selectOne(name, repository, request);
  for (const origin of forced === undefined ? preferred : [forced]) {
    if (origin === "caches") return fromCaches(container, repository, request);
    if (origin === "lock" && container.lock !== undefined)
      return readLockListing(container.lock, shown(container.lock, request));
    // What is published is asked for by its name, or by `image:`.
    if (origin === "image" && (forced === "image" || subject.found !== "published"))
      return fromImage(subject, repository, request);
  }
  throw new SpacktainersError("NOT_FOUND", `${container.name} is not locked`, {
    place: { file: container.path },
    hint: `spacktainers lock ${container.name}`,
  });
}

/** The packages of an image, whatever its form. */
async function fromImage(
  subject: ImageSubject,
  { configuration }: Repository,
  request: DiffRequest,
): Promise<PackageListing> {
  const { arch, emit, signal } = request;
  const image = await openSubject(subject, { arch, registries: configuration.registries, emit, signal });
  try {
    const path = layoutOf(subject);
    const said = subject.form === undefined ? subject.name : formText(subject.form);
    return await readImageListing(image, path === undefined ? said : shown(path, request));
  } finally {
    await image.close();
  }
}

/** What would be chosen now. */
async function fromCaches(
  container: Container,
  repository: Repository,
  request: DiffRequest,
): Promise<PackageListing> {
  const { configuration } = repository;
  const { emit, signal, refresh } = request;
  const sources = await cacheSources(configuration, request, request.directory);
  const caches = openCacheSet(sources, { emit, signal, refresh });
  try {
    const unlocked = { ...container, lock: undefined };
    const loaded = await openEnvironment(unlocked, configuration, {
      caches,
      areCachesGiven: request.caches.length > 0,
      emit,
    });
    const settings = { architecture: container.arch, configuration };
    const resolved = await resolvePackages(loaded, settings, { caches, emit });
    return listResolved(resolved, `${container.name} from the caches`);
  } finally {
    await caches.close();
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

/** A path as the user would type it. */
function shown(path: string, { directory }: DiffRequest): string {
  const short = relative(directory, path);
  return short === "" || short.startsWith("..") ? path : short;
}
