import type { Configuration } from "../../definitions/configuration.ts";
import type { BrokenDefinition, Container, Definition } from "../../definitions/container.ts";
import { readDefFile } from "../../definitions/defFile.ts";
import { type Repository, readTextFile } from "../../definitions/repository.ts";
import { inDefinitionOrder, selectDefinitions } from "../../definitions/select.ts";
import { loadLock, loadManifest } from "../../environment/load.ts";
import type { Lock } from "../../environment/types.ts";
import { configuredReading } from "../../pipeline/choose/configuredReading.ts";
import {
  builtImage,
  defaultOutput,
  type ImageSummary,
  layersOfPackages,
  summaryOf,
} from "../../pipeline/images/builtImages.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { openRepository } from "../../pipeline/workspace/workspace.ts";
import { runtimeClosure } from "../../spec/closure.ts";
import type { EmitEvent } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import type { ImageWithTag } from "./remoteLookup.ts";

/** What `list` says of a container. */
export interface ListedContainer {
  readonly name: string;
  /** Undefined for a broken definition. */
  readonly arch: string | undefined;
  /** `broken`: no container can be made from it; `check` explains why. */
  readonly kind: "spack" | "def" | "broken";
  readonly path: string;
  readonly parked: boolean;
  /** The specs as written; empty for a definition file. */
  readonly specs: readonly string[];
  /** Definition files: the image they start from. */
  readonly from: string | undefined;
  /** Version of the locked first spec; otherwise of the built image; otherwise (if requested) the version that a build would have; undefined if unknown. */
  readonly version: string | undefined;
  readonly locked: boolean;
  readonly epilogue: boolean;
  /** The image in the output folder. */
  readonly image: ListedImage | undefined;
  /** Versions that the registries have under the configured tags; undefined if they were not asked. */
  readonly published: readonly ImageWithTag[] | undefined;
  /** Whether the packages of the image differ from those of the lock next to the definition; undefined if there is no image or no lock. */
  readonly outOfDate: boolean | undefined;
  /** Number of errors in the definition. Errors in one definition do not prevent the listing of others. */
  readonly problems: number;
  /** Number of warnings and notices that `check` reports about the definition. */
  readonly warnings: number;
}

/** Containers that caches and registries are asked about at a time. */
const askedAtOnce = 4;

/** An image, and where it is. */
export interface ListedImage extends ImageSummary {
  /** The layout's directory. */
  readonly path: string;
}

/** A command line of `list`. */
export interface ListRequest {
  readonly directory: string;
  readonly names: readonly string[];
  readonly arch: string | undefined;
  /** Ask the caches for versions, and the registries for what is published; left out: nothing but files is looked at. */
  readonly ask?: { readonly emit: EmitEvent; readonly signal: AbortSignal } | undefined;
}

/**
 * The containers of a repository with what is known of them: without any network, unless it is asked for. Caches and registries
 * that do not answer are warnings.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`; `INTERRUPTED`
 */
export async function listContainers(request: ListRequest): Promise<readonly ListedContainer[]> {
  const repository = await openRepository(request.directory);
  const { configuration } = repository;
  const arch = asArchitecture(request.arch);
  const asked = { names: request.names, cwd: request.directory, arch };
  const selected = await selectDefinitions(repository, asked);
  // Without names, `list` shows the parked ones too: they exist, though they are not built.
  const parked =
    request.names.length > 0
      ? []
      : repository.containers.filter((one) => one.parked && (arch === undefined || one.arch === arch));
  const definitions = inDefinitionOrder([...selected, ...parked]);
  const listed = await Promise.all(
    definitions.map(async (definition): Promise<ListedContainer> => {
      if (definition.kind === "broken") return brokenContainer(definition);
      const built = await findBuilt(defaultOutput(configuration.output, definition));
      const found = await contents(definition, configuration, built).catch(() => unreadable(built?.image));
      return { ...identity(definition), image: built?.image, published: undefined, ...found };
    }),
  );
  return request.ask === undefined
    ? listed
    : addAsked(listed, { definitions, repository, directory: request.directory, ask: request.ask });
}

/** What is asked, and of which containers. */
interface AskedAddition {
  readonly definitions: readonly Definition[];
  readonly repository: Repository;
  readonly directory: string;
  readonly ask: NonNullable<ListRequest["ask"]>;
}

async function addAsked(
  listed: readonly ListedContainer[],
  { definitions, repository: { configuration }, directory, ask }: AskedAddition,
): Promise<readonly ListedContainer[]> {
  const { openRemoteLookup } = await import("./remoteLookup.ts");
  const facts = openRemoteLookup(configuration, directory, ask);
  try {
    return await mapConcurrently(listed, askedAtOnce, async (one, at) => {
      const definition = definitions[at];
      if (definition === undefined || definition.kind === "broken") return one;
      const isChosen = one.version === undefined && one.kind === "spack";
      const version = isChosen ? await facts.version(definition) : one.version;
      return { ...one, version, published: await facts.published(definition, version) };
    });
  } finally {
    await facts.close();
  }
}

/** An image in the output folder. */
interface Built {
  readonly image: ListedImage;
  /** Hashes of the packages in it. */
  readonly packages: ReadonlySet<string>;
}

async function findBuilt(path: string): Promise<Built | undefined> {
  const image = await builtImage(path);
  if (image === undefined) return undefined;
  const packages = layersOfPackages(image.manifest.value).flatMap((layer) => layer.packages);
  return { image: { path, ...summaryOf(image) }, packages: new Set(packages.map(({ hash }) => hash)) };
}

function brokenContainer({ name, arch, path, errors }: BrokenDefinition): ListedContainer {
  return {
    name,
    arch,
    kind: "broken",
    path,
    parked: false,
    locked: false,
    epilogue: false,
    image: undefined,
    published: undefined,
    specs: [],
    from: undefined,
    version: undefined,
    outOfDate: undefined,
    problems: errors.length,
    warnings: 0,
  };
}

/** Of a definition that cannot be read: that it cannot is its problem. */
function unreadable(image: ListedImage | undefined): Awaited<ReturnType<typeof contents>> {
  return {
    specs: [],
    from: undefined,
    version: image?.version,
    outOfDate: undefined,
    problems: 1,
    warnings: 0,
  };
}

function identity(container: Container) {
  const { name, arch, kind, path, parked } = container;
  return {
    name,
    arch,
    kind,
    path,
    parked,
    locked: container.lock !== undefined,
    epilogue: container.epilogue !== undefined,
  };
}

async function contents(
  container: Container,
  configuration: Configuration,
  built: Built | undefined,
): Promise<Pick<ListedContainer, "specs" | "from" | "version" | "outOfDate" | "problems" | "warnings">> {
  if (container.kind === "def") {
    const file = readDefFile(await readTextFile(container.path, 1024 * 1024), container.path);
    return {
      specs: [],
      from: file.from,
      version: file.version,
      outOfDate: undefined,
      problems: file.errors.length,
      warnings: 0,
    };
  }
  const { environment, errors, warnings } = await loadManifest(
    container.path,
    await configuredReading(container, configuration),
  );
  const lock =
    container.lock === undefined ? undefined : await loadLock(container.lock).catch(() => undefined);
  const first = lock?.roots[0];
  return {
    specs: environment?.specs.map(({ text }) => text) ?? [],
    from: undefined,
    version: (first === undefined ? undefined : lock?.graph.get(first.hash)?.version) ?? built?.image.version,
    outOfDate: lock === undefined || built === undefined ? undefined : isOutOfDate(lock, built),
    problems: errors.length,
    warnings: warnings.length,
  };
}

/** Whether an image has other packages than a lock names. */
function isOutOfDate(lock: Lock, { packages }: Built): boolean {
  const roots = [...lock.roots, ...lock.includedRoots].map(({ hash }) => hash);
  const wanted = runtimeClosure(lock.graph, roots).packages.map(({ hash }) => hash);
  return wanted.length !== packages.size || wanted.some((hash) => !packages.has(hash));
}
