/** The published image of a container on another base, in every registry. */
import type { Configuration, RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { RegistryImage } from "../../image/openRegistryImage.ts";
import { platformOf } from "../../image/platform.ts";
import { baseRequest } from "../../pipeline/base/baseRequest.ts";
import { loadSpacktainersLock, lockPaths } from "../../pipeline/choose/spacktainersLock.ts";
import type { MadeImage } from "../../pipeline/epilogue/makeImage.ts";
import { withContainerSection } from "../../pipeline/plan/containerSection.ts";
import { baseLock } from "../../pipeline/plan/useLocks.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { openPublishedLayers } from "../../publish/publishedLayers.ts";
import { publishTags, publishTarget } from "../../publish/targets.ts";
import { formatRepository } from "../../registry/reference.ts";
import type { VerificationKey } from "../../supply/signingKey.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { type AskedTarget, type PushedContainer, pushToAll, tried } from "../push/pushContainer.ts";
import { inputsOf, neighboursThere, publishedByTag, pushTargetsOf } from "../push/pushTargets.ts";
import { decideRebase, type RebaseBase } from "./decideRebase.ts";
import { type ImageParts, readImageParts } from "./imageParts.ts";
import { registryRecords } from "./imageRecords.ts";

const questionsAtOnce = 8;

/** What is the same for all images of a command line. */
export interface RebaseOptions {
  /** Instead of the configured one. */
  readonly base: RebaseBase["configured"] | undefined;
  readonly refresh: boolean;
  /** Check, and publish nothing. */
  readonly dryRun: boolean;
  /** Make it even when it stands on that base already: it is to be written somewhere. */
  readonly makeAgain: boolean;
  /** Keys whose statements count on where the packages of an image came from; none: what is attached to it counts. */
  readonly believed: readonly VerificationKey[];
}

/** An image on its new base. */
export interface Rebased {
  readonly before: ImageParts;
  /** Undefined when nothing had to be made: it stands on that base already. */
  readonly made: MadeImage | undefined;
}

/** What rebasing a container takes. */
export interface RebaseContext {
  readonly neighbours: readonly Container[];
  readonly registries: readonly RegistryConfiguration[];
  readonly configuration: Configuration;
  readonly options: RebaseOptions;
  readonly resources: Resources;
}

/**
 * Rebases the published image of a container.
 *
 * @throws {SpacktainersError} `NOT_FOUND` when it is not published; of reading it; `LINKAGE_UNRESOLVED`, `LIBC_TOO_OLD`; what
 *   fails at one of several registries is in its result
 */
export async function rebaseContainer(
  container: Container,
  { neighbours, registries, configuration, options, resources }: RebaseContext,
): Promise<{ readonly rebased: Rebased; readonly pushed: PushedContainer }> {
  const { emit } = resources;
  const platform = platformOf(container.arch);
  emit({ type: "stage", stage: "ask-registries" });
  const found = await mapConcurrently(registries, questionsAtOnce, (registry) =>
    tried(() => publishedImage(container, registry, resources)),
  );
  const images = found.flatMap(({ value }) => (value === undefined ? [] : [value]));
  const [first] = images;
  if (first === undefined) {
    const failure = found.find(({ error }) => error !== undefined)?.error;
    throw failure ?? notPublished(container, registries);
  }
  const before = await readImageParts(first, registryRecords(first, options.believed, emit));
  const pushTargets = pushTargetsOf(container, before.names.version, {
    registries,
    configuration,
    resources,
  });
  const published = openPublishedLayers(
    [...images, ...(await neighboursThere(pushTargets, neighbours, platform, resources))],
    emit,
  );
  const wanted = await wantedBase(container, configuration, options, resources);
  const decided = await decideRebase(before, wanted, resources, { published, refresh: options.refresh });
  const asked = pushTargets.map((pushTarget, index): AskedTarget => {
    const { value, error } = found[index] ?? {};
    return {
      pushTarget,
      there: value !== undefined && inputsOf(value) === decided.inputs ? value : undefined,
      error,
    };
  });
  const isMissing = asked.some(({ there, error }) => there === undefined && error === undefined);
  const made = isMissing || options.makeAgain ? await decided.make() : undefined;
  const rebased = { before, made };
  const { version } = before.names;
  if (options.dryRun) return { rebased, pushed: { container, version, targets: [] } };
  if (made !== undefined) emit({ type: "stage", stage: "push-image" });
  return {
    rebased,
    pushed: { container, version, targets: await pushToAll(asked, made, platform, resources) },
  };
}

/** The base that a container is to stand on: as asked for, as locked, as configured. */
export async function wantedBase(
  container: Container,
  configuration: Configuration,
  { base }: Pick<RebaseOptions, "base">,
  { emit }: Pick<Resources, "emit">,
): Promise<RebaseBase> {
  if (base !== undefined) return { configured: base, lock: undefined };
  const { base: configured } = (await withContainerSection(configuration, container)).configuration;
  const file = lockPaths(container).spacktainers;
  const lock = await loadSpacktainersLock(file);
  if (lock === undefined) return { configured, lock: undefined };
  const isSame =
    lock.base.kind === configured.kind && lock.base.request.join("\n") === baseRequest(configured).join("\n");
  emit({
    type: "warning",
    code: isSame ? "NOTICE" : "LOCK_STALE",
    message: isSame
      ? "the base is the locked one"
      : "the configuration of the base has changed since the lock was made",
    place: { file },
    hint: isSame
      ? "`spacktainers lock --keep` puts the newest one into the lock; --base chooses one for this time"
      : "the configured base is used; run `spacktainers lock` to write the lock again",
  });
  return { configured, lock: isSame ? baseLock(lock.base) : undefined };
}

/** The image that a registry has, by a tag that does not depend on the version. */
async function publishedImage(
  container: Container,
  registry: RegistryConfiguration,
  resources: Resources,
): Promise<RegistryImage | undefined> {
  const fixed = registry.tags.filter((tag) => !tag.includes("{version}"));
  const [tag] = publishTags({ tags: fixed }, { ...container, version: "" }, {});
  const { repository } = publishTarget(registry, container, {});
  if (tag === undefined)
    throw new SpacktainersError(
      "USAGE",
      `all tags of ${formatRepository(repository)} depend on the version`,
      {
        hint: `name the image itself: ${formatRepository(repository)}:VERSION`,
      },
    );
  return publishedByTag(
    resources.registries.repository(repository),
    tag,
    platformOf(container.arch),
    resources,
  );
}

function notPublished(container: Container, registries: readonly RegistryConfiguration[]): SpacktainersError {
  const places = registries.map((registry) =>
    formatRepository(publishTarget(registry, container, {}).repository),
  );
  return new SpacktainersError("NOT_FOUND", `${container.name} is not published in ${places.join(", ")}`, {
    place: { file: container.path },
    hint: `spacktainers push ${container.name}`,
  });
}
