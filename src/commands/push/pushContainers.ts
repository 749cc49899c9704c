import type { Configuration, RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { selectContainers } from "../../definitions/select.ts";
import { loadSigningKey } from "../../pipeline/describe/keyFiles.ts";
import { type PublishedRequest, signPublished } from "../../pipeline/describe/signPublished.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import type { ImageRequest } from "../../pipeline/workspace/buildRequest.ts";
import { inWorkshop, tidyWorkshop, type Workshop } from "../../pipeline/workspace/workshop.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { artifactRepository } from "../../publish/artifactRepository.ts";
import { publishTag, type TaggedImage } from "../../publish/publishTag.ts";
import { parseTag, type Tag } from "../../registry/reference.ts";
import type { Digest } from "../../util/digest.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { ignoreEvents } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import {
  type PushedContainer,
  type PushedTarget,
  type PushedTo,
  pushContainer,
  tried,
} from "./pushContainer.ts";
import { pushDefinition } from "./pushDefinition.ts";

/** A command line of `push`. */
export interface PushRequest extends ImageRequest {
  /** URLs of configured registries; none: all. */
  readonly registries: readonly string[];
  /** Besides those of the configuration. */
  readonly tags: readonly string[];
  readonly force: boolean;
}

/** What became of a container's image in one registry. */
export interface PushResult extends PushedTo {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
}

/**
 * Publishes the containers asked for: every image to every registry, then the tags. Containers that cannot be made, and
 * registries that fail, do not keep the others from being published.
 *
 * @returns a row for each container and registry, failures included
 * @throws {SpacktainersError} when nothing was tried: `UNKNOWN_CONTAINER`, `USAGE`, a faulty configuration
 */
export async function pushContainers(request: PushRequest): Promise<readonly PushResult[]> {
  const { directory } = request;
  const repository = await openSoundRepository(directory);
  const { configuration } = repository;
  const arch = asArchitecture(request.arch);
  const selected = await selectContainers(repository, {
    names: request.names,
    cwd: directory,
    ...(arch === undefined ? {} : { arch }),
  });
  if (selected.length === 0)
    throw new SpacktainersError("UNKNOWN_CONTAINER", "there is no container to push", {
      hint: "definitions are container_definitions/<arch>/<name>/spack.yaml",
    });
  const registries = chosenRegistries(configuration, request.registries).map((registry) => ({
    ...registry,
    tags: [...registry.tags, ...request.tags.map((tag) => parseTag(tag))],
  }));
  // A key that cannot be read is told before anything is made.
  const signing = await signingOf(configuration, directory);
  return inWorkshop(configuration, request, async (workshop) => {
    const pushed: PushedContainer[] = [];
    const failed: PushResult[] = [];
    for (const container of selected) {
      const neighbours = repository.containers.filter(
        (other) =>
          !other.parked && other.kind === "spack" && other.arch === container.arch && other !== container,
      );
      try {
        pushed.push(
          container.kind === "def"
            ? await pushDefinition(container, registries, configuration, request, workshop)
            : await pushContainer(container, neighbours, registries, configuration, request, workshop),
        );
      } catch (thrown) {
        const error = asSpacktainersError(thrown);
        // With one container, its failure is the command's.
        if (error.code === "INTERRUPTED" || selected.length === 1) throw thrown;
        failed.push(...registries.map((registry) => failure(container, registry, error)));
      }
    }
    const results = await moveTags(pushed, repository.containers, workshop, signing);
    await tidyWorkshop(workshop);
    return [...results, ...failed];
  });
}

/** Images that are described and signed at a time. */
const imagesAtOnce = 4;

/** How what is pushed is signed. Throws `KEY_INVALID`. */
export async function signingOf(
  { signing }: Configuration,
  directory: string,
): Promise<Pick<PublishedRequest, "key" | "forms">> {
  const { key, forms } = signing;
  return { key: key === undefined ? undefined : await loadSigningKey(key, directory), forms };
}

/** The registries of the configuration, or those of them that a command line names. */
export function chosenRegistries(
  configuration: Configuration,
  urls: readonly string[],
): readonly RegistryConfiguration[] {
  const { registries, file } = configuration;
  if (registries.length === 0)
    throw new SpacktainersError("CONFIG_INVALID", "no registry is configured", {
      ...(file === undefined ? {} : { place: { file } }),
      hint: "write `registries: [{ url: ghcr.io/my-org }]` in spacktainers.yaml",
    });
  if (urls.length === 0) return registries;
  return urls.map((url) => {
    const found = registries.find((registry) => registry.url === url || registry.url.split("/")[0] === url);
    if (found !== undefined) return found;
    throw new SpacktainersError("USAGE", `${url} is not a configured registry`, {
      hint: `configured are ${registries.map((registry) => registry.url).join(", ")}`,
    });
  });
}

/**
 * Moves every tag once all architectures are there, and waits for the records of their layers.
 *
 * @param containers all that there are: whose architectures share a tag
 * @returns a row for each image and registry, failures included
 */
export async function moveTags(
  pushed: readonly PushedContainer[],
  containers: readonly Pick<Container, "name" | "arch" | "parked">[],
  { emit, signal }: Workshop,
  signing: Pick<PublishedRequest, "key" | "forms">,
): Promise<readonly PushResult[]> {
  const errors = new Map<PushedTarget, SpacktainersError>();
  const moves = new Map<
    string,
    { readonly target: PushedTarget; readonly tag: Tag; readonly members: Member[] }
  >();
  for (const { container, version, targets } of pushed) {
    for (const target of targets) {
      if (target.image === undefined) continue;
      for (const tag of target.result.tags) {
        const key = `${target.result.repository}:${tag}`;
        const move = moves.get(key) ?? { target, tag, members: [] };
        move.members.push({ container, version, target, image: target.image });
        moves.set(key, move);
      }
    }
  }
  const facts = new Map(
    pushed.flatMap(({ targets }) =>
      targets.flatMap((target) =>
        target.facts === undefined ? [] : [[target.facts.manifest.digest, target.facts] as const],
      ),
    ),
  );
  const tagged = new Map<string, { readonly digest: Digest; readonly members: readonly Member[] }>();
  const attempt = async (members: readonly Member[], work: () => Promise<void>): Promise<void> => {
    signal.throwIfAborted();
    const { error } = await tried(work);
    if (error !== undefined) for (const { target } of members) errors.set(target, error);
  };
  if (moves.size > 0) emit({ type: "stage", stage: "move-tags" });
  for (const { target, tag, members } of moves.values())
    await attempt(members, async () => {
      const [first] = members;
      if (first === undefined) return;
      const { digest } = await publishTag(target.repository, {
        tag,
        images: members.map(({ image }) => image),
        architectures: architecturesIn(first, containers),
        annotations: {
          "org.opencontainers.image.title": first.container.name,
          "org.opencontainers.image.version": first.version,
        },
      });
      // What was there before has all that was known when it was made; only a key can be new.
      if (signing.key === undefined && members.every((member) => member.target.facts === undefined)) return;
      tagged.set(`${target.result.repository}@${digest}`, { digest, members });
    });
  await mapConcurrently([...tagged.values()], imagesAtOnce, ({ digest, members }) =>
    attempt(members, async () => {
      const [first] = members;
      if (first === undefined) return;
      await signPublished({
        ...signing,
        reference: digest,
        repository: artifactRepository(first.target.repository),
        factsOf: (image) => facts.get(image),
        annotations: {},
        emit: ignoreEvents,
        signal,
      });
    }),
  );
  for (const target of pushed.flatMap(({ targets }) => targets)) {
    const { error } = await tried(() => target.recorded());
    if (error !== undefined) errors.set(target, error);
  }
  return pushed.flatMap(({ container, version, targets }) =>
    targets.map((target) => ({
      name: container.name,
      arch: container.arch,
      version,
      ...target.result,
      error: target.result.error ?? errors.get(target),
    })),
  );
}

/** An image that a tag is to stand for. */
interface Member {
  readonly container: PushedContainer["container"];
  readonly version: string;
  readonly target: PushedTarget;
  readonly image: TaggedImage;
}

/** The architectures that share the repository: all that the container has, unless each has a repository of its own. */
function architecturesIn(
  { container, target }: Member,
  containers: Parameters<typeof moveTags>[1],
): readonly string[] {
  if (target.target.configuration.repository.includes("{arch}")) return [container.arch];
  const same = containers.filter(({ name, parked }) => name === container.name && !parked);
  return [...new Set([container.arch, ...same.map(({ arch }) => arch)])];
}

function failure(
  { name, arch }: Container,
  registry: RegistryConfiguration,
  error: SpacktainersError,
): PushResult {
  return {
    name,
    arch,
    version: "",
    repository: registry.url,
    tags: [],
    digest: undefined,
    upToDate: false,
    layers: { uploaded: 0, mounted: 0, present: 0, referenced: 0 },
    bytesSent: 0,
    error,
  };
}
