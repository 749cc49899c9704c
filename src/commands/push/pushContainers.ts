import type { Configuration, RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { buildMissing } from "../../pipeline/compile/buildMissing.ts";
import { publisher } from "../../pipeline/compile/publisher.ts";
import { loadSigningKey } from "../../pipeline/describe/keyFiles.ts";
import type { PublishedRequest } from "../../pipeline/describe/signPublished.ts";
import type { ImageSettingsRequest } from "../../pipeline/workspace/buildRequest.ts";
import {
  type ContainerOutcome,
  forEachContainer,
  namedErrors,
  resultsOf,
} from "../../pipeline/workspace/outcomes.ts";
import { tidyResources, withResources } from "../../pipeline/workspace/resources.ts";
import { neighboursOf, selectAsked } from "../../pipeline/workspace/selectAsked.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { parseTag } from "../../registry/reference.ts";
import { oneError, SpacktainersError } from "../../util/errors.ts";
import { nameEvents } from "../../util/nameEvents.ts";
import { moveTags, type PushResult } from "./moveTags.ts";
import { noLayers, type PushedContainer, pushContainer } from "./pushContainer.ts";
import { pushDefinition } from "./pushDefinition.ts";

/** A command line of `push`. */
export interface PushRequest extends ImageSettingsRequest {
  /** URLs of configured registries; none: all. */
  readonly registries: readonly string[];
  /** Besides those of the configuration. */
  readonly tags: readonly string[];
  readonly force: boolean;
}

/** What became of all containers. */
export interface PushOutcome {
  /** One for each container and registry, in the order of the containers, failures included. */
  readonly rows: readonly PushResult[];
  /** Everything that went wrong, in this order, each once. */
  readonly errors: readonly SpacktainersError[];
}

/**
 * Publishes the containers asked for: every image to every registry, then the tags. Containers that cannot be made, and
 * registries that fail, do not keep the others from being published.
 *
 * @throws {SpacktainersError} when nothing was tried: `UNKNOWN_CONTAINER`, `USAGE`, a faulty configuration; what is wrong with
 *   the only container; `INTERRUPTED`
 */
export async function pushContainers(request: PushRequest): Promise<PushOutcome> {
  const { directory, signal, failFast } = request;
  const repository = await openSoundRepository(directory);
  const { configuration } = repository;
  const definitions = await selectAsked(repository, request, "push");
  const registries = chosenRegistries(configuration, request.registries).map((registry) => ({
    ...registry,
    tags: [...registry.tags, ...request.tags.map((tag) => parseTag(tag))],
  }));
  // A key that cannot be read is reported before anything is made.
  const signing = await signingOf(configuration, directory);
  const events = nameEvents(request.emit);
  return withResources(
    configuration,
    { ...request, publishes: true, emit: events.emit },
    async (resources) => {
      const failed = ({ targets }: PushedContainer): boolean =>
        targets.some(({ result }) => result.error !== undefined);
      const push = async (container: Container): Promise<PushedContainer> => {
        if (container.kind === "def")
          return pushDefinition(container, { registries, configuration, options: request, resources });
        const publish = resources.building === undefined ? undefined : publisher(configuration, resources);
        const provided = await buildMissing(container, configuration, resources, publish);
        const neighbours = neighboursOf(container, repository);
        return pushContainer(provided.container, {
          neighbours,
          registries,
          configuration,
          options: request,
          resources,
        });
      };
      const outcomes = await forEachContainer(definitions, { events, signal, failFast, failed }, push);
      const [only] = outcomes;
      if (outcomes.length === 1 && only?.state === "failed") throw oneError(only.errors);
      const moved = await moveTags(resultsOf(outcomes), repository.containers, resources, signing);
      await tidyResources(resources);
      return outcomeOf(outcomes, moved, registries);
    },
  );
}

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
      place: file === undefined ? undefined : { file },
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
 * Rows and errors of all containers.
 *
 * @param moved the rows of those that were made, in their order, each as many as it has targets
 */
function outcomeOf(
  outcomes: readonly ContainerOutcome<PushedContainer>[],
  moved: readonly PushResult[],
  registries: readonly RegistryConfiguration[],
): PushOutcome {
  let at = 0;
  const containers = outcomes.map((outcome) => {
    if (outcome.state !== "done")
      return { name: outcome.name, rows: registries.map((registry) => rowOfUndone(outcome, registry)) };
    const first = at;
    at += outcome.result.targets.length;
    return { name: outcome.name, rows: moved.slice(first, at) };
  });
  const errors = containers.flatMap(({ name, rows }) =>
    rows.flatMap((row) => row.errors.map((error) => ({ name, error }))),
  );
  return {
    rows: containers.flatMap(({ rows }) => rows),
    errors: namedErrors(errors, { several: outcomes.length > 1 }),
  };
}

function rowOfUndone(
  outcome: Exclude<ContainerOutcome<unknown>, { readonly state: "done" }>,
  registry: RegistryConfiguration,
): PushResult {
  const { name, arch } = outcome.subject;
  return {
    name,
    arch,
    version: "",
    repository: registry.url,
    tags: [],
    digest: undefined,
    upToDate: false,
    layers: noLayers,
    bytesSent: 0,
    errors: outcome.state === "failed" ? outcome.errors : [],
    skipped: outcome.state === "skipped",
  };
}
