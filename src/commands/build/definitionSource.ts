/** Definition files of Apptainer, read, and the images they start from. */
import { dirname, resolve } from "node:path";
import { encodingOf } from "../../archive/layerCompression.ts";
import { mediaTypes } from "../../archive/oci/types.ts";
import { openBaseStore } from "../../base/baseStore.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { type DefContents, defContents } from "../../definitions/defContents.ts";
import { type DefStage, readDefFile } from "../../definitions/defFile.ts";
import { type Container, readTextFile } from "../../definitions/repository.ts";
import { createdTime } from "../../image/created.ts";
import { encode } from "../../image/encodedDocument.ts";
import { fragmentKey } from "../../image/fragmentStore.ts";
import { type Image, isOciImage } from "../../image/image.ts";
import { openRegistryImage } from "../../image/openRegistryImage.ts";
import { type ImageSource, openSource, type SourceKind, sourceKinds } from "../../image/openSource.ts";
import { platformOf } from "../../image/platform.ts";
import { localLayers } from "../../image/registryLayer.ts";
import { type OpenReference, referenceOpener } from "../../pipeline/images/openReference.ts";
import { layerSettings } from "../../pipeline/plan/layerSettings.ts";
import type { OutputNames } from "../../pipeline/workspace/outputs.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { manifestReference, parseReference } from "../../registry/reference.ts";
import type { DefinitionAdditions } from "../../sif/containerRoot.ts";
import { definitionFiles } from "../../sif/definitionFiles.ts";
import { openLocalImage } from "../../sif/openLocalImage.ts";
import { type Digest, parseDigest } from "../../util/digest.ts";
import { SpacktainersErrors } from "../../util/errors.ts";
import type { Obstacle } from "./apptainerBuild.ts";

/** To be raised whenever the same definition and the same image give another image. */
const definitionVersion = 1;

/** A definition file is written by hand. */
const largestDefinition = 2 ** 20;

/** Headers that change what a native build would do, and are left to Apptainer. */
const foreignHeaders = ["fingerprints", "library", "includecmd"];

/** What images of definitions are made with. */
export type DefinitionResources = Pick<Resources, "store" | "emit" | "signal"> & {
  /** Reads images of registries; default: with the configuration. */
  readonly openReference?: OpenReference;
};

/** A definition file without errors. */
export interface ReadDefinition {
  readonly text: string;
  /** The last stage, which makes the image. */
  readonly stage: DefStage;
  readonly contents: DefContents;
  readonly names: OutputNames & { readonly arch: "amd64" | "arm64" };
  /** Why it cannot be built without Apptainer; empty when it can. */
  readonly obstacles: readonly Obstacle[];
}

/** What an image of a definition is made of. */
export interface DefinitionSource {
  readonly image: Image;
  /** None for an image that is complete as it is. */
  readonly additions: DefinitionAdditions | undefined;
  /** Digest of everything that decides the image, where that is known without making it. */
  readonly inputs: string | undefined;
}

/**
 * Reads a definition file. Its version is the tag of the image it starts from.
 *
 * @throws {SpacktainersErrors} `DEFINITION_INVALID`: all problems together
 */
export async function readDefinition(container: Container): Promise<ReadDefinition> {
  const text = await readTextFile(container.path, largestDefinition);
  const definition = readDefFile(text, container.path);
  const stage = definition.stages.at(-1);
  const contents = stage === undefined ? undefined : defContents(stage);
  const errors = [...definition.errors, ...(contents?.errors ?? [])];
  if (errors.length > 0 || stage === undefined || contents === undefined)
    throw new SpacktainersErrors(errors);
  const names = { name: container.name, arch: container.arch, version: definition.version ?? "latest" };
  return { text: definition.text, stage, contents, names, obstacles: obstaclesIn(stage, contents) };
}

/**
 * Opens the image that a definition starts from, and closes it when it was used.
 *
 * @throws {SpacktainersError} of opening images; what `use` throws
 */
export async function withNativeSource<T>(
  definition: ReadDefinition,
  container: Container,
  configuration: Configuration,
  resources: DefinitionResources,
  use: (source: DefinitionSource) => Promise<T>,
): Promise<T> {
  const { stage, text, contents } = definition;
  const folder = dirname(container.path);
  resources.emit({ type: "stage", stage: "open-source" });
  const { image, resolved } = await openBase(stage, folder, container.arch, {
    open: resources.openReference ?? referenceOpener(configuration.registries),
    resources,
  });
  try {
    const additions: DefinitionAdditions = {
      text,
      sections: contents,
      files: (tree, mtime) => definitionFiles(contents, folder, tree, mtime),
    };
    if (isOciImage(image)) await localLayers(image);
    const digest = parseDigest(resolved.slice(resolved.lastIndexOf("@") + 1));
    const inputs = digest === undefined ? undefined : definitionInputs(definition, digest, configuration);
    return await use({ image, additions, inputs });
  } finally {
    await image.close();
  }
}

/**
 * What decides the image of a definition that starts from an image in a registry, found out by asking what its name stands
 * for now. Undefined when it starts from something else, or takes files from this machine: then it has to be made to know.
 *
 * @throws {SpacktainersError} of the registry
 */
export async function askedInputs(
  definition: ReadDefinition,
  configuration: Configuration,
  { registries, baseCacheDir }: Pick<Resources, "registries" | "baseCacheDir">,
): Promise<string | undefined> {
  const { stage, obstacles, names } = definition;
  if (obstacles.length > 0 || stage.bootstrap !== "docker" || takesFiles(definition)) return undefined;
  const name = parseReference(registryName(stage));
  const image = await openRegistryImage(registries.repository(name), manifestReference(name), {
    platforms: [platformOf(names.arch)],
    store: openBaseStore(baseCacheDir),
  });
  return definitionInputs(definition, image.manifest.descriptor.digest, configuration);
}

function takesFiles({ contents }: ReadDefinition): boolean {
  return contents.files.length > 0 || contents.apps.some(({ files }) => files.length > 0);
}

function definitionInputs(
  definition: ReadDefinition,
  base: Digest,
  configuration: Configuration,
): string | undefined {
  if (definition.stage.bootstrap !== "docker" || takesFiles(definition)) return undefined;
  const { text, names } = definition;
  const compression = encodingOf(layerSettings(configuration));
  // Zero unless a time was asked for: that of the image it starts from counts otherwise.
  const created = createdTime([]);
  return `sha256:${fragmentKey({ definitionVersion, names, text, base, compression, created })}`;
}

/** What cannot be done natively, with the line that asks for it. */
function obstaclesIn(stage: DefStage, contents: DefContents): readonly Obstacle[] {
  const native: readonly string[] = [...sourceKinds, "docker", "oras", "localimage", "scratch"];
  const header = (key: string): Obstacle[] => {
    const found = stage.headers.get(key);
    return found === undefined
      ? []
      : [{ what: `\`${key[0]?.toUpperCase()}${key.slice(1)}:\``, place: found.place }];
  };
  const bootstrap = stage.headers.get("bootstrap");
  return [
    ...(bootstrap === undefined || native.includes(stage.bootstrap ?? "")
      ? []
      : [{ what: `\`Bootstrap: ${bootstrap.value}\``, place: bootstrap.place }]),
    ...foreignHeaders.flatMap(header),
    ...contents.needsApptainer,
  ];
}

/** The image a stage starts from. Paths start from the folder of the definition. */
async function openBase(
  stage: DefStage,
  folder: string,
  architecture: Container["arch"],
  { open, resources }: { readonly open: OpenReference; readonly resources: DefinitionResources },
): Promise<{ readonly image: Image; readonly resolved: string }> {
  const { bootstrap = "", from = "" } = stage;
  const platforms = [platformOf(architecture)];
  const image = await (async (): Promise<Image> => {
    if (bootstrap === "scratch") return emptyImage(architecture);
    if (bootstrap === "localimage") return openLocalImage(resolve(folder, from), platforms);
    const kind = sourceKinds.find((known) => known === bootstrap);
    if (kind !== undefined) return openSource(sourceOf(kind, from, folder), platforms);
    const { emit, signal } = resources;
    const transport = bootstrap === "oras" ? "oras" : "docker";
    return open({ transport, name: registryName(stage), platforms, emit, signal });
  })();
  // The file's own words say where it came from.
  return { image: { ...image, origin: { bootstrap, from } }, resolved: image.origin.from };
}

function sourceOf(kind: SourceKind, from: string, folder: string): ImageSource {
  const colon = from.indexOf(":");
  const path = resolve(folder, colon < 0 ? from : from.slice(0, colon));
  const reference = colon < 0 ? "" : from.slice(colon + 1);
  return { kind, path, reference: reference === "" ? undefined : reference };
}

/** The name of an image in a registry: `Registry:` and `Namespace:` come before it. */
export function registryName(stage: DefStage): string {
  const header = (key: string): string | undefined =>
    stage.headers.get(key)?.value.replace(/^https?:\/\/|\/+$/g, "");
  return [header("registry"), header("namespace"), (stage.from ?? "").replace(/^\/\//, "")]
    .filter((part) => part !== undefined && part !== "")
    .join("/");
}

function emptyImage(architecture: string): Image {
  const rootfs = { type: "layers", diff_ids: [] } as const;
  const config = encode({ architecture, os: "linux", rootfs }, mediaTypes.config);
  return {
    place: {},
    origin: { bootstrap: "scratch", from: "" },
    reference: undefined,
    manifest: undefined,
    hasOwnScripts: true,
    apptainerPath: undefined,
    config: () => Promise.resolve(config),
    layers: () => Promise.resolve([]),
    contentDigest: () => Promise.resolve(undefined),
    close: async () => {},
  };
}
