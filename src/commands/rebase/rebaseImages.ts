/** `rebase`: from a command line to images on another base. */
import type { Configuration } from "../../definitions/configuration.ts";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import type { Container, Repository } from "../../definitions/repository.ts";
import { isOciImage } from "../../image/image.ts";
import { openSource } from "../../image/openSource.ts";
import { platformOf } from "../../image/platform.ts";
import { parseBaseOption } from "../../pipeline/base/baseOption.ts";
import { loadVerificationKeys } from "../../pipeline/describe/keyFiles.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { forEachOf, type Outcome } from "../../pipeline/workspace/outcomes.ts";
import { type Output, parseOutput, writeOutputs } from "../../pipeline/workspace/outputs.ts";
import { type Resources, tidyResources, withResources } from "../../pipeline/workspace/resources.ts";
import { neighboursOf } from "../../pipeline/workspace/selectAsked.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { type ImageName, parseTag } from "../../registry/reference.ts";
import { writeDescription } from "../../supply/descriptionDocument.ts";
import { oneError, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { nameEvents } from "../../util/nameEvents.ts";
import { moveTags, type PushResult } from "../push/moveTags.ts";
import { chosenRegistries, signingOf } from "../push/pushContainers.ts";
import { decideRebase } from "./decideRebase.ts";
import { readImageParts } from "./imageParts.ts";
import { machineRecords } from "./imageRecords.ts";
import { type OsPackageChange, osPackageChanges } from "./osPackageChanges.ts";
import { type Rebased, type RebaseOptions, rebaseContainer, wantedBase } from "./rebaseContainer.ts";
import { rebaseReference } from "./rebaseReference.ts";
import { type RebaseSubject, selectRebaseSubjects, subjectName } from "./selectRebaseSubjects.ts";

/** A command line of `rebase`. */
export interface RebaseRequest {
  readonly directory: string;
  /** Containers, layouts, archives, references; none: all containers. */
  readonly images: readonly string[];
  readonly arch: string | undefined;
  /** As {@link parseBaseOption}; undefined: as configured or locked. */
  readonly base: string | undefined;
  /** URLs of configured registries; none: all. */
  readonly registries: readonly string[];
  /** Besides those of the configuration; in place of a reference's own. */
  readonly tags: readonly string[];
  /** Where to write it to, in place of publishing it. */
  readonly outputs: readonly string[];
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly refresh: boolean;
  /** The first image that fails stops the others. */
  readonly failFast: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What became of one image. */
export interface RebaseResult {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  /** The image already has that base. */
  readonly upToDate: boolean;
  /** Of the manifest; undefined when nothing was made. */
  readonly digest: string | undefined;
  readonly base: { readonly before: string; readonly after: string };
  /** OS packages that differ; undefined if the image's OS packages are no longer known. */
  readonly changes: readonly OsPackageChange[] | undefined;
  /** Layers of packages that were reused. */
  readonly layers: number;
  readonly pushed: readonly PushResult[];
  readonly outputs: readonly Output[];
}

/** What became of what a command line names: a reference may have an image for each architecture. */
export type RebaseOutcome = Outcome<RebaseSubject, readonly RebaseResult[]>;

/**
 * Puts images on another base. Images that cannot be rebased do not keep the others from it.
 *
 * @returns what became of each, in their order
 * @throws {SpacktainersError} when nothing was tried: `USAGE`, `UNKNOWN_CONTAINER`, `REFERENCE_INVALID`; `INTERRUPTED`
 */
export async function rebaseImages(request: RebaseRequest): Promise<readonly RebaseOutcome[]> {
  const { directory, signal, failFast } = request;
  for (const output of request.outputs) parseOutput(output, directory, { name: "", arch: "", version: "" });
  const repository = await openSoundRepository(directory);
  const { configuration } = repository;
  const subjects = await selectRebaseSubjects(request, repository);
  const publishes = subjects.some(({ kind }) => kind !== "source");
  const dryRun = request.dryRun || request.outputs.length > 0;
  // A key that cannot be read is reported before anything is made.
  const signing = publishes && !dryRun ? await signingOf(configuration, directory) : unsigned;
  const trusted = publishes ? await loadVerificationKeys(configuration.signing.public, directory) : [];
  const options: RebaseOptions & { readonly signing: Signing } = {
    ...request,
    base:
      request.base === undefined ? undefined : parseBaseOption(request.base, configuration.base, directory),
    dryRun,
    makeAgain: request.outputs.length > 0,
    believed: signing.key === undefined ? trusted : [...trusted, signing.key.publicKey],
    signing,
  };
  const fixedPlace = request.outputs.find((output) => !output.includes("{name}"));
  if (subjects.length > 1 && fixedPlace !== undefined)
    throw new SpacktainersError(
      "USAGE",
      `--output ${fixedPlace} is the same place for ${subjects.length} images`,
      {
        hint: "write {name} (and {arch}) in the path",
      },
    );
  const workplace = {
    directory,
    caches: [],
    trust: [],
    refresh: request.refresh,
    jobs: undefined,
    publishes: publishes && !dryRun,
  };
  const events = nameEvents(request.emit);
  return withResources(configuration, { ...request, ...workplace, emit: events.emit }, async (resources) => {
    const outcomes = await forEachOf(
      subjects,
      (subject) => subjectName(subject, directory),
      { events, signal, failFast, failed: (results: readonly RebaseResult[]) => results.some(isUnpublished) },
      (subject) => rebaseSubject(subject, { repository, request, options, resources }),
    );
    await tidyResources(resources);
    return outcomes;
  });
}

/** True when it did not get to a registry that it was to get to. */
function isUnpublished({ pushed }: RebaseResult): boolean {
  return pushed.some(({ errors }) => errors.length > 0);
}

/** How what is published is signed. */
type Signing = Awaited<ReturnType<typeof signingOf>>;

const unsigned: Signing = { key: undefined, forms: [] };

/** What rebasing takes. */
interface SubjectContext {
  readonly repository: Repository;
  readonly request: RebaseRequest;
  readonly options: RebaseOptions & { readonly signing: Signing };
  readonly resources: Resources;
}

async function rebaseSubject(
  subject: RebaseSubject,
  { repository, request, options, resources }: SubjectContext,
): Promise<readonly RebaseResult[]> {
  switch (subject.kind) {
    case "refused":
      throw oneError(subject.errors);
    case "container":
      return [
        await resultOfContainer(subject.container, repository.containers, {
          configuration: repository.configuration,
          request,
          options,
          resources,
        }),
      ];
    case "source":
      return [
        await resultOnMachine(subject, {
          configuration: repository.configuration,
          request,
          options,
          resources,
        }),
      ];
    case "reference":
      return resultsOfReference(subject.name, {
        configuration: repository.configuration,
        request,
        options,
        resources,
      });
  }
}

async function resultOfContainer(
  subject: Container,
  containers: Repository["containers"],
  { configuration, request, options, resources }: RebasingContext,
): Promise<RebaseResult> {
  const registries = chosenRegistries(configuration, request.registries).map((registry) => ({
    ...registry,
    tags: [...registry.tags, ...request.tags.map((tag) => parseTag(tag))],
  }));
  const neighbours = neighboursOf(subject, { containers });
  const { rebased, pushed } = await rebaseContainer(subject, {
    neighbours,
    registries,
    configuration,
    options,
    resources,
  });
  const rows = await moveTags([pushed], containers, resources, options.signing);
  return { ...(await finished(rebased, request, resources)), pushed: rows };
}

async function resultOnMachine(
  { source, container }: Extract<RebaseSubject, { kind: "source" }>,
  { configuration, request, options, resources }: RebasingContext,
): Promise<RebaseResult> {
  const arch = container?.arch ?? asArchitecture(request.arch) ?? hostArchitecture();
  if (source.reference !== undefined && request.outputs.length === 0)
    throw new SpacktainersError("USAGE", `${source.path} may have other images, which would be lost`, {
      hint: "use --output to choose where to write the image",
    });
  const image = await openSource(source, [platformOf(arch)]);
  try {
    if (!isOciImage(image)) throw new SpacktainersError("INTERNAL", "the image has no manifest");
    const before = await readImageParts(image, machineRecords(image, resources));
    const wanted =
      container === undefined
        ? { configured: options.base ?? configuration.base, lock: undefined }
        : await wantedBase(container, configuration, options, resources);
    const decided = await decideRebase(before, wanted, resources, {
      published: undefined,
      refresh: request.refresh,
    });
    const outputs = request.outputs.length > 0 ? request.outputs : [`${source.kind}:${source.path}`];
    const isThere = before.inputs === decided.inputs && request.outputs.length === 0;
    const made = isThere ? undefined : await decided.make();
    return await finished({ before, made }, { ...request, outputs }, resources);
  } finally {
    await image.close();
  }
}

/** What rebasing an image takes. */
interface RebasingContext {
  readonly configuration: Configuration;
  readonly request: RebaseRequest;
  readonly options: RebaseOptions & { readonly signing: Signing };
  readonly resources: Resources;
}

async function resultsOfReference(
  name: ImageName,
  { configuration, request, options, resources }: RebasingContext,
): Promise<readonly RebaseResult[]> {
  const own = name.digest === undefined ? [name.tag ?? parseTag("latest")] : [];
  const tags = request.tags.length === 0 ? own : [...new Set(request.tags.map((tag) => parseTag(tag)))];
  if (tags.length === 0 && !options.dryRun)
    throw new SpacktainersError("USAGE", "an image named by its digest has no tag to publish it under", {
      hint: "name one with --tag, or write the image to this machine with --output",
    });
  const { images, architectures } = await rebaseReference(
    name,
    { arch: asArchitecture(request.arch), tags },
    { ...options, base: options.base ?? configuration.base },
    resources,
  );
  const all = images.flatMap(({ pushed: { container } }) =>
    architectures.map((arch) => ({ name: container.name, arch, parked: false })),
  );
  const rows = await moveTags(
    images.map(({ pushed }) => pushed),
    all,
    resources,
    options.signing,
  );
  const results: RebaseResult[] = [];
  for (const { rebased } of images)
    results.push({
      ...(await finished(rebased, request, resources)),
      pushed: rows.filter(({ arch }) => arch === rebased.before.names.arch),
    });
  return results;
}

/** Writes what is to be written to this machine, and tells what changed. */
async function finished(
  { before, made }: Rebased,
  request: RebaseRequest,
  resources: Resources,
): Promise<RebaseResult> {
  const outputs = request.outputs.map((text) => parseOutput(text, request.directory, before.names));
  if (made !== undefined && !request.dryRun && outputs.length > 0)
    await writeOutputs(made.image, outputs, before.names, {
      directory: request.directory,
      force: request.force,
      facts: made.facts && writeDescription(made.facts),
      emit: resources.emit,
      signal: resources.signal,
    });
  const labels = (await made?.image.config())?.value.config?.Labels ?? {};
  return {
    ...before.names,
    upToDate: made === undefined,
    digest: made?.image.manifest.descriptor.digest,
    base: {
      before: before.base.name,
      after: labels["org.opencontainers.image.base.name"] ?? before.base.name,
    },
    changes:
      made === undefined
        ? []
        : before.base.packages === undefined
          ? undefined
          : osPackageChanges(before.base.packages, made.base.packages),
    layers: before.layers.length,
    pushed: [],
    outputs: request.dryRun ? [] : outputs,
  };
}
