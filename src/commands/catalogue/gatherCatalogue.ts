/** Finds out what a catalogue shows: from definitions and locks, registries, and what was built here. */
import { baseCacheDirectory, openBaseStore } from "../../base/baseStore.ts";
import type { CatalogueContainer, CatalogueFacts } from "../../catalogue/facts.ts";
import { webAddress } from "../../catalogue/markup.ts";
import type { Container, Definition } from "../../definitions/container.ts";
import { readDefFile } from "../../definitions/defFile.ts";
import { type Repository, readTextFile } from "../../definitions/repository.ts";
import { selectDefinitions } from "../../definitions/select.ts";
import { loadManifest } from "../../environment/load.ts";
import { findSite } from "../../hpc/site.ts";
import { configuredReading } from "../../pipeline/choose/configuredReading.ts";
import { loadVerificationKeys } from "../../pipeline/describe/keyFiles.ts";
import { builtImage, defaultOutput } from "../../pipeline/images/builtImages.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { openRegistries } from "../../registry/openRegistries.ts";
import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";
import { errorsOf } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import {
  builtFacts,
  type FactsContext,
  type GatheredImage,
  lockedFacts,
  publishedFacts,
  withSites,
} from "./imageFacts.ts";
import { chainVersions, newestImageFirst } from "./imageOrder.ts";
import { type PublishedQuestion, publishedVersions } from "./publishedImages.ts";
import { siteVerdicts } from "./siteVerdicts.ts";

/** What a catalogue is to show. */
export interface CatalogueRequest {
  readonly directory: string;
  /** Containers; none: all. */
  readonly names: readonly string[];
  readonly arch: string | undefined;
  /** Sites that the newest images are held against; undefined: all of the configuration. */
  readonly sites: readonly string[] | undefined;
  /** Of the site; undefined: what the configuration says of images, else a general one. */
  readonly title: string | undefined;
  /** Where the site will be; undefined: it is not known. */
  readonly baseUrl: string | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** Containers that are looked at at a time. */
const atOnce = 4;

/**
 * Finds out. What cannot be reached or read is a warning and part of the facts, and does not keep the rest from being shown.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `USAGE` for a site that is not described, `KEY_INVALID`; problems of the
 *   configuration; `INTERRUPTED`
 */
export async function gatherCatalogue(request: CatalogueRequest): Promise<CatalogueFacts> {
  const { directory, emit, signal } = request;
  const repository = await openSoundRepository(directory);
  const { configuration } = repository;
  const sites = [...(request.sites ?? [...configuration.sites.keys()].sort())];
  for (const name of sites) findSite(configuration, name);
  const arch = asArchitecture(request.arch);
  const selection = { names: request.names, cwd: directory, arch };
  const definitions = await selectDefinitions(repository, selection);
  const keys = await loadVerificationKeys(configuration.signing.public, repository.root);
  const missing = new Set<string>();
  const onMissing = (what: string, thrown: unknown): void => {
    for (const { code, message, place } of errorsOf(thrown)) {
      const text = `${what}: ${message}`;
      if (missing.has(text)) continue;
      missing.add(text);
      emit({ type: "warning", code, message: text, place });
    }
  };
  for (const definition of definitions)
    if (definition.kind === "broken")
      for (const error of definition.errors) onMissing(`the definition of ${definition.name}`, error);
  const containers = definitions.filter((one): one is Container => one.kind !== "broken");
  const registries = openRegistries({ configured: configuration.registries, readOnly: true, emit, signal });
  try {
    emit({ type: "stage", stage: "ask-registries", total: containers.length, counts: "lookup" });
    const store = openBaseStore(baseCacheDirectory());
    const question = { configuration, registries, store, signal, onMissing };
    const gathered = await mapConcurrently(containers, atOnce, async (container) => {
      signal.throwIfAborted();
      const task = { kind: "lookup", label: `${container.arch}/${container.name}`, signal } as const;
      return runTask(emit, task, async () => ({
        container,
        images: await imagesOf({ container, repository, keys, emit, signal }, { question, sites, directory }),
        specs: await specsOf(container, repository),
      }));
    });
    return assemble(gathered, request, repository, [...missing].sort());
  } finally {
    await registries.close();
  }
}

interface Sources {
  readonly question: PublishedQuestion;
  readonly sites: readonly string[];
  readonly directory: string;
}

/** The images of a container for its architecture, the newest first: published ones, else what was built, else what is locked. */
async function imagesOf(context: FactsContext, sources: Sources): Promise<readonly GatheredImage[]> {
  const { container, repository, signal } = context;
  const { onMissing } = sources.question;
  const published = await publishedVersions(container, sources.question);
  const found = await mapConcurrently(published, atOnce, async (one) => {
    try {
      return [{ gathered: await publishedFacts(one, context), opened: one.image }];
    } catch (thrown) {
      stopIfAborted(signal);
      onMissing(`${one.repositories[0]}:${one.tags[0]}`, thrown);
      return [];
    }
  });
  const all = newestImageFirst(found.flat());
  const [newest] = all;
  if (newest !== undefined) {
    const [repositoryName] = newest.gathered.image.repositories;
    const tagged = newest.gathered.image.tags[0];
    const word = `docker://${repositoryName}:${tagged}`;
    const judged = await judge(newest.gathered, newest.opened, word, { context, sources });
    return chainVersions([judged, ...all.slice(1).map(({ gathered }) => gathered)]);
  }
  const path = defaultOutput(repository.configuration.output, container);
  const built = await builtImage(path);
  try {
    if (built !== undefined) {
      const gathered = await builtFacts(built, path, context);
      return [await judge(gathered, built, `${container.arch}/${container.name}`, { context, sources })];
    }
    return container.lock === undefined ? [] : [await lockedFacts(container.lock, context)];
  } catch (thrown) {
    stopIfAborted(signal);
    onMissing(`${container.arch}/${container.name}`, thrown);
    return [];
  } finally {
    await built?.close();
  }
}

type Opened = Parameters<typeof siteVerdicts>[0]["image"];

/** Holds an image against the sites. */
async function judge(
  gathered: GatheredImage,
  image: Opened,
  word: string,
  { context, sources }: { readonly context: FactsContext; readonly sources: Sources },
): Promise<GatheredImage> {
  const { container, repository, emit, signal } = context;
  const { sites, directory } = sources;
  const { version } = gathered.image;
  try {
    const question = { container, image, word, version, sites, repository, directory, emit, signal };
    return withSites(gathered, await siteVerdicts(question));
  } catch (thrown) {
    stopIfAborted(signal);
    sources.question.onMissing(`what ${container.name} needs of sites`, thrown);
    return gathered;
  }
}

/** The specs of a definition as written. What is wrong with it is said by `check`. */
async function specsOf(container: Definition, { configuration }: Repository): Promise<readonly string[]> {
  if (container.kind === "broken") return [];
  try {
    if (container.kind === "def") {
      const text = await readTextFile(container.path, 1024 * 1024);
      const { from } = readDefFile(text, container.path);
      return from === undefined ? [] : [`from ${from}`];
    }
    const reading = await configuredReading(container, configuration);
    const { environment } = await loadManifest(container.path, reading);
    return environment?.specs.map(({ text }) => text) ?? [];
  } catch {
    return [];
  }
}

interface GatheredContainer {
  readonly container: Container;
  readonly images: readonly GatheredImage[];
  readonly specs: readonly string[];
}

function assemble(
  gathered: readonly GatheredContainer[],
  { title, baseUrl }: CatalogueRequest,
  { configuration }: Repository,
  missing: readonly string[],
): CatalogueFacts {
  const graph = new Map<DagHash, ConcreteSpec>();
  const byName = new Map<string, GatheredContainer[]>();
  for (const one of gathered) {
    byName.set(one.container.name, [...(byName.get(one.container.name) ?? []), one]);
    for (const { listing } of one.images)
      for (const spec of listing?.graph.values() ?? []) {
        // An image may say less of a package than a lock does: the fuller one has all edges.
        const known = graph.get(spec.hash);
        if (known === undefined || known.dependencies.length < spec.dependencies.length)
          graph.set(spec.hash, spec);
      }
  }
  const names = [...byName.keys()].sort();
  const { description: common, vendor, source } = configuration.image;
  const told = gathered.flatMap(({ images }) => images.flatMap((one) => one.source ?? []));
  return {
    title: title ?? (vendor === undefined ? "Container catalogue" : `Containers of ${vendor}`),
    source: webAddress(source ?? told[0]),
    baseUrl: baseUrl?.replace(/\/+$/, ""),
    containers: names.map((name): CatalogueContainer => {
      const same = byName.get(name) ?? [];
      const descriptions = same.flatMap(({ images }) => images.flatMap((one) => one.description ?? []));
      // What all images say tells nothing of this one.
      const own = descriptions.find((text) => names.length === 1 || text !== common);
      return {
        name,
        description: own,
        specs: same[0]?.specs ?? [],
        images: same.flatMap(({ images }) => images.map(({ image }) => image)),
        architectures: same.map(({ container }) => container.arch),
      };
    }),
    graph,
    missing,
  };
}
