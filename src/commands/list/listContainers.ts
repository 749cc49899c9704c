import type { Configuration } from "../../definitions/configuration.ts";
import { readDefFile } from "../../definitions/defFile.ts";
import { type BrokenDefinition, type Container, readTextFile } from "../../definitions/repository.ts";
import { inDefinitionOrder, selectDefinitions } from "../../definitions/select.ts";
import { loadLock, loadManifest } from "../../environment/load.ts";
import { configuredReading } from "../../pipeline/choose/configuredReading.ts";
import {
  builtImage,
  defaultOutput,
  type ImageSummary,
  summaryOf,
} from "../../pipeline/images/builtImages.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { openRepository } from "../../pipeline/workspace/workspace.ts";

/** What `list` says of a container. */
export interface ListedContainer {
  readonly name: string;
  /** Undefined where a broken definition tells none. */
  readonly arch: string | undefined;
  /** `broken`: no container can be made of it; `check` says why. */
  readonly kind: "spack" | "def" | "broken";
  readonly path: string;
  readonly parked: boolean;
  /** The specs as written; none for a definition file. */
  readonly specs: readonly string[];
  /** Definition files: the image they start from. */
  readonly from: string | undefined;
  /** Of the locked first spec, else of the built image; undefined while nothing has resolved it. */
  readonly version: string | undefined;
  readonly locked: boolean;
  readonly epilogue: boolean;
  /** The image in the output folder. */
  readonly image: ListedImage | undefined;
  /** Number of errors in the definition. What is wrong with one keeps no other from being listed. */
  readonly problems: number;
}

/** An image, and where it is. */
export interface ListedImage extends ImageSummary {
  /** The layout's directory. */
  readonly path: string;
}

/**
 * The containers of a repository with what is known of them without any network.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`
 */
export async function listContainers(request: {
  readonly directory: string;
  readonly names: readonly string[];
  readonly arch: string | undefined;
}): Promise<readonly ListedContainer[]> {
  const repository = await openRepository(request.directory);
  const { configuration } = repository;
  const arch = asArchitecture(request.arch);
  const asked = { names: request.names, cwd: request.directory, ...(arch === undefined ? {} : { arch }) };
  const selected = await selectDefinitions(repository, asked);
  // Without names, `list` shows the parked ones too: they exist, though they are not built.
  const parked =
    request.names.length > 0
      ? []
      : repository.containers.filter((one) => one.parked && (arch === undefined || one.arch === arch));
  return Promise.all(
    inDefinitionOrder([...selected, ...parked]).map(async (definition) => {
      if (definition.kind === "broken") return brokenContainer(definition);
      const image = await listedImage(defaultOutput(configuration.output, definition));
      const found = await contents(definition, configuration, image).catch(() => unreadable(image));
      return { ...identity(definition), image, ...found };
    }),
  );
}

async function listedImage(path: string): Promise<ListedImage | undefined> {
  const image = await builtImage(path);
  return image && { path, ...summaryOf(image) };
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
    specs: [],
    from: undefined,
    version: undefined,
    problems: errors.length,
  };
}

/** Of a definition that cannot be read: that it cannot is its problem. */
function unreadable(image: ListedImage | undefined): Awaited<ReturnType<typeof contents>> {
  return { specs: [], from: undefined, version: image?.version, problems: 1 };
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
  image: ListedImage | undefined,
): Promise<Pick<ListedContainer, "specs" | "from" | "version" | "problems">> {
  if (container.kind === "def") {
    const file = readDefFile(await readTextFile(container.path, 1024 * 1024), container.path);
    return { specs: [], from: file.from, version: file.version, problems: file.errors.length };
  }
  const { environment, errors } = await loadManifest(
    container.path,
    await configuredReading(container, configuration),
  );
  const lock =
    container.lock === undefined ? undefined : await loadLock(container.lock).catch(() => undefined);
  const first = lock?.roots[0];
  return {
    specs: environment?.specs.map(({ text }) => text) ?? [],
    from: undefined,
    version: (first === undefined ? undefined : lock?.graph.get(first.hash)?.version) ?? image?.version,
    problems: errors.length,
  };
}
