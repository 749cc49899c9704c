import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BasePackage } from "../../base/types.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container, Repository } from "../../definitions/repository.ts";
import { isOciImage, type OciImage } from "../../image/image.ts";
import { decideImage, type MadeImage } from "../../pipeline/epilogue/makeImage.ts";
import { withImage } from "../../pipeline/images/openSubject.ts";
import { planContainer, type RemadeImage } from "../../pipeline/plan/planContainer.ts";
import { baseLock, type LockUse } from "../../pipeline/plan/useLocks.ts";
import { type Resources, type ResourcesRequest, withResources } from "../../pipeline/workspace/resources.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { parseDigest } from "../../util/digest.ts";
import { type ErrorCode, errorsOf, SpacktainersError } from "../../util/errors.ts";
import { removeIfPossible } from "../../util/removeIfPossible.ts";
import { toolVersion } from "../../util/toolVersion.ts";
import { compareImages, comparePackages, type Difference } from "./compareImages.ts";
import { type BuildRecord, readBuildRecord } from "./readBuildRecord.ts";
import { remadeConfiguration } from "./remadeConfiguration.ts";

/** What `reproduce` was asked for. */
export interface ReproduceRequest extends ResourcesRequest {
  /** A container's name, a path, or a name in a registry. */
  readonly image: string;
  readonly arch: string | undefined;
  /** As `--base` has it; undefined: the one that the image names. */
  readonly base: string | undefined;
}

/** What came of it. */
export interface ReproduceResult {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** Of the image's manifest. */
  readonly digest: string;
  /** Of what was made again; undefined when it could not be made. */
  readonly made: string | undefined;
  readonly reproduced: boolean;
  /** The differences, or why the image could not be rebuilt; empty if it was reproduced. */
  readonly differences: readonly Difference[];
}

/** Why an image may not be made again, by what stops it. */
const reasons: Partial<Record<ErrorCode, readonly [kind: Difference["kind"], reason: string]>> = {
  PACKAGE_NOT_CACHED: [
    "package",
    "someone pruned it from the build cache, or the cache that had it is not configured here",
  ],
  NO_SOLUTION: ["package", "the caches that are configured here have no such packages"],
  KEY_UNKNOWN: [
    "package",
    "the key that signed it is not trusted here: name it with --trust, unless it is gone",
  ],
  SIGNATURE_MISSING: ["package", "the cache now has it without a signature"],
  SIGNATURE_INVALID: [
    "package",
    "the cache's copy was changed, or the key that signed it has expired or is revoked",
  ],
  CHECKSUM_MISMATCH: ["package", "someone pushed it again or changed it since"],
  CACHE_UNAVAILABLE: ["package", "the build cache cannot be reached"],
  NOT_FOUND: ["os-package", "the archive no longer has it; a base with `snapshot:` stays reproducible"],
  BASE_UNSATISFIABLE: [
    "os-package",
    "the archive no longer has it; a base with `snapshot:` stays reproducible",
  ],
  BASE_INVALID: ["os-package", "the base is now a different one"],
};

/**
 * Makes an image again from what it says of itself, and compares. Nothing is left of it but what is kept for later builds.
 *
 * @throws {SpacktainersError} `NOT_SUPPORTED` for an image that does not say what it was made from; of reading it
 */
export async function reproduceImage(request: ReproduceRequest): Promise<ReproduceResult> {
  const repository = await openSoundRepository(request.directory);
  const { directory, arch, emit, signal } = request;
  return withImage(
    request.image,
    repository,
    { directory, arch, preferHost: true, emit, signal },
    async ({ image }) => {
      if (!isOciImage(image))
        throw new SpacktainersError(
          "NOT_SUPPORTED",
          "a file for Apptainer does not record what it was made from",
          {
            place: image.place,
            hint: "name the image that it was made from",
          },
        );
      const told = await readBuildRecord(image, emit);
      const folder = await mkdtemp(join(tmpdir(), "spacktainers-reproduce-"));
      try {
        return await remake(image, told, { folder, repository, request });
      } finally {
        await removeIfPossible(folder);
      }
    },
  );
}

/** Where it is made again. */
interface Remaking {
  readonly folder: string;
  readonly repository: Repository;
  readonly request: ReproduceRequest;
}

async function remake(
  image: OciImage,
  told: BuildRecord,
  { folder, repository, request }: Remaking,
): Promise<ReproduceResult> {
  const configuration = remadeConfiguration(told, repository.configuration, request.base, request.directory);
  const container = await containerIn(folder, told, repository);
  const { name, version, arch } = told;
  const { digest } = image.manifest.descriptor;
  const result = { name, version, arch, digest };
  const noticed: Difference[] = [];
  let made: MadeImage;
  try {
    made = await withResources(configuration, request, (resources) =>
      makeAgain(told, {
        container,
        configuration,
        resources,
        noticed,
        isOtherBase: request.base !== undefined,
      }),
    );
  } catch (thrown) {
    request.signal.throwIfAborted();
    const differences = errorsOf(thrown).map((error) => stopped(error, told));
    return { ...result, made: undefined, reproduced: false, differences: [...noticed, ...differences] };
  }
  const again = made.image.manifest.descriptor.digest;
  if (again === digest) return { ...result, made: again, reproduced: true, differences: [] };
  const differences = [
    ...noticed,
    ...toolDifferences(told),
    ...comparePackages(told.basePackages ?? made.base.packages, made.base.packages),
    ...(await compareImages(image, made.image, request.signal)),
  ];
  return { ...result, made: again, reproduced: false, differences };
}

/** The definition that the image has inside. */
async function containerIn(folder: string, told: BuildRecord, repository: Repository): Promise<Container> {
  const path = join(folder, "spack.yaml");
  const lock = join(folder, "spack.lock");
  await writeFile(path, told.manifest);
  await writeFile(lock, told.lock);
  const { name, arch } = told;
  const twin = repository.containers.find((one) => one.name === name && one.arch === arch);
  if (told.hasEpilogue && twin?.epilogue === undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "the image has an epilogue, whose Dockerfile it does not have",
      {
        hint: `run this in the repository that has ${arch}/${name}`,
      },
    );
  const epilogue = told.hasEpilogue ? twin?.epilogue : undefined;
  return { name, arch, kind: "spack", path, lock, epilogue, tests: undefined, parked: false };
}

/** What it is made again with. */
interface RemadeContext {
  readonly container: Container;
  readonly configuration: Configuration;
  readonly resources: Resources;
  readonly noticed: Difference[];
  readonly isOtherBase: boolean;
}

async function makeAgain(
  told: BuildRecord,
  { container, configuration, resources, noticed, isOtherBase }: RemadeContext,
): Promise<MadeImage> {
  const revision = told.annotations["org.opencontainers.image.revision"];
  const remade: RemadeImage = {
    locks: locksOf(told, configuration, noticed, isOtherBase),
    allow: told.assembly.allow,
    created: told.created,
    completion: told.completion,
    source: { url: undefined, revision, lastChange: revision, ref: undefined, path: undefined },
  };
  const plan = (strip: boolean, keepMetadata: boolean) =>
    planContainer(container, configuration, {
      request: {
        frozen: false,
        strip,
        keepMetadata,
        allowUnresolved: [],
        refresh: false,
        buildArguments: new Map(),
        epilogueNetwork: undefined,
      },
      tools: resources,
      remade,
    });
  // What was stripped and kept is in the keys of the fragments only.
  let planned = await plan(true, false);
  const isSame = (): boolean => {
    const keys = new Set<string>(planned.fragments.map(({ key }) => key));
    return told.fragments.every((key) => keys.has(key));
  };
  for (const [strip, keepMetadata] of [
    [false, false],
    [true, true],
    [false, true],
  ] as const) {
    if (isSame()) break;
    await planned.abandonBase(undefined);
    planned = await plan(strip, keepMetadata);
  }
  if (!isSame()) {
    await planned.abandonBase(undefined);
    planned = await plan(true, false);
  }
  const decided = await decideImage(planned, resources, undefined);
  return decided.make();
}

/** What the image says of base and archives takes the place of locks; not of a base that was asked for in place of its own. */
function locksOf(
  told: BuildRecord,
  configuration: Configuration,
  noticed: Difference[],
  isOtherBase: boolean,
): LockUse {
  const digest = parseDigest(told.labels["org.opencontainers.image.base.digest"] ?? "");
  const { kind } = configuration.base;
  const packages = told.basePackages ?? [];
  const isPinned =
    !isOtherBase &&
    (kind === "debian" ? packages.length > 0 && packages.every(isIdentified) : digest !== undefined);
  if (kind === "debian" && !isPinned && !isOtherBase)
    noticed.push({
      kind: "os-package",
      subject: configuration.base.kind,
      message: "the image does not record its OS packages: using today's",
      reason: undefined,
    });
  return {
    inUse: isPinned,
    base: isPinned ? baseLock({ kind, request: [], packages, layers: [], digest }) : undefined,
    checkBase: () => {},
    checkPackages(cached) {
      for (const { spec, digest: found } of cached) {
        const recorded = told.archives.get(spec.hash)?.archive?.digest;
        if (recorded === undefined || recorded === found) continue;
        const difference: Difference = {
          kind: "package",
          subject: briefSpec(spec),
          message: `its archive was ${recorded}, and is ${found}`,
          reason: "someone built and pushed it again since",
        };
        if (!noticed.some(({ subject }) => subject === difference.subject)) noticed.push(difference);
      }
    },
  };
}

function isIdentified({ digest, filename, archive }: BasePackage): boolean {
  return digest !== undefined && filename !== undefined && archive !== undefined;
}

/** What kept the image from being made, as a difference: an OS package by its name, where the image knows the file. */
function stopped(
  { code, message, place }: SpacktainersError,
  { basePackages = [] }: BuildRecord,
): Difference {
  const [kind, reason] = reasons[code] ?? ["layer", undefined];
  const { url } = place;
  const gone = basePackages.find(
    ({ filename }) => filename !== undefined && isAddressOf(url ?? "", filename),
  );
  if (gone !== undefined)
    return {
      kind: "os-package",
      subject: `${gone.name} ${gone.version}`,
      message: `${url}: ${message}`,
      reason,
    };
  return { kind, subject: place.spec ?? url ?? place.file ?? code, message, reason };
}

/** Whether a URL leads to a file of an archive, whose name it may have with escapes. */
function isAddressOf(url: string, filename: string): boolean {
  const escaped = filename.split("/").map(encodeURIComponent).join("/");
  return [filename, encodeURI(filename), escaped].some((name) => url.endsWith(`/${name}`));
}

function toolDifferences({ toolVersion: before }: BuildRecord): readonly Difference[] {
  const now = toolVersion();
  if (before === undefined || before === now) return [];
  return [
    {
      kind: "tool",
      subject: "spacktainers",
      message: `was ${before}, is ${now}`,
      reason: "another version may make other bytes from the same packages: install that one",
    },
  ];
}
