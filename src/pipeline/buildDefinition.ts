/** Building Apptainer definition files: natively where nothing has to be run, else by Apptainer. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Configuration } from "../definitions/configuration.ts";
import { type DefContents, defContents } from "../definitions/defContents.ts";
import { type DefStage, readDefFile } from "../definitions/defFile.ts";
import { type Container, readTextFile } from "../definitions/repository.ts";
import { replaceFile } from "../image/outputTarget.ts";
import type { DefinitionAdditions } from "../sif/containerRoot.ts";
import { definitionFiles } from "../sif/definitionFiles.ts";
import type { OpenImage, SourceImage } from "../sif/imageContents.ts";
import { markSif } from "../sif/markSif.ts";
import { openLocalImage } from "../sif/openLocalImage.ts";
import { openSource, type SourceKind, sourceKinds } from "../sif/openSource.ts";
import { isOurSif, writeSif, writeSquashfs } from "../sif/writeSif.ts";
import { digestOfHex } from "../util/digest.ts";
import { SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import { shownPath } from "../util/shownPath.ts";
import { apptainerBuild, type Obstacle } from "./apptainerBuild.ts";
import type { BuildResult } from "./buildContainer.ts";
import type { BuildRequest } from "./buildRequest.ts";
import { defaultOutput, readLayoutImage } from "./builtImage.ts";
import { definitionImage } from "./definitionImage.ts";
import { layerSettings } from "./layerSettings.ts";
import { type OpenReference, referenceOpener } from "./openReference.ts";
import { type Output, parseOutput, writeOutput } from "./outputs.ts";
import type { Workshop } from "./workshop.ts";

/** A definition file is written by hand. */
const largestDefinition = 2 ** 20;

/** Headers that change what a native build would do, and are left to Apptainer. */
const foreignHeaders = ["fingerprints", "library", "includecmd"];

type DefinitionWorkshop = Pick<Workshop, "store" | "emit" | "signal"> & {
  /** Reads images of registries; default: with the configuration. */
  readonly openReference?: OpenReference;
};

/**
 * Builds the image of a definition file. Its version is the tag of the image it starts from.
 *
 * @throws {SpacktainersError} `DEFINITION_INVALID` (all problems together); `RUNTIME_MISSING` when a section needs Apptainer
 *   and there is none; and those of opening and writing images
 */
export async function buildDefinition(
  container: Container,
  configuration: Configuration,
  request: BuildRequest,
  workshop: DefinitionWorkshop,
): Promise<BuildResult> {
  const started = performance.now();
  const text = await readTextFile(container.path, largestDefinition);
  const definition = readDefFile(text, container.path);
  const stage = definition.stages.at(-1);
  const contents = stage === undefined ? undefined : defContents(stage);
  const errors = [...definition.errors, ...(contents?.errors ?? [])];
  if (errors.length > 0 || stage === undefined || contents === undefined)
    throw new SpacktainersErrors(errors);
  const names = { name: container.name, arch: container.arch, version: definition.version ?? "latest" };
  const outputs: readonly Output[] =
    request.outputs.length === 0
      ? [{ kind: "oci", path: defaultOutput(configuration.output, container) }]
      : request.outputs.map((one) => parseOutput(one, request.directory, names));
  const obstacles = obstaclesIn(stage, contents);
  const written = { container, configuration, names, outputs, request, workshop };
  const summary =
    obstacles.length > 0
      ? await buildByApptainer(obstacles, written)
      : await buildNatively(definition.text, stage, contents, written);
  return {
    ...names,
    ...summary,
    packages: [],
    reused: 0,
    outputs,
    milliseconds: performance.now() - started,
  };
}

interface Work {
  readonly container: Container;
  readonly configuration: Configuration;
  readonly names: { readonly name: string; readonly arch: Container["arch"]; readonly version: string };
  readonly outputs: readonly Output[];
  readonly request: BuildRequest;
  readonly workshop: DefinitionWorkshop;
}

type Summary = Pick<BuildResult, "digest" | "size" | "layers" | "upToDate">;

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

async function buildNatively(
  text: string,
  stage: DefStage,
  contents: DefContents,
  work: Work,
): Promise<Summary> {
  const { container, configuration, request, workshop } = work;
  const folder = dirname(container.path);
  workshop.emit({ type: "stage", stage: "Opening the image it starts from" });
  const base = await openBase(stage, folder, container.arch, {
    open: workshop.openReference ?? referenceOpener(configuration.registries),
    workshop,
  });
  try {
    const additions: DefinitionAdditions = {
      text,
      sections: contents,
      files: (tree, mtime) => definitionFiles(contents, folder, tree, mtime),
    };
    return await writeOutputs(base, additions, work, request);
  } finally {
    await base.close();
  }
}

/** The image a stage starts from. Paths start from the folder of the definition. */
async function openBase(
  stage: DefStage,
  folder: string,
  architecture: Container["arch"],
  { open, workshop }: { readonly open: OpenReference; readonly workshop: DefinitionWorkshop },
): Promise<OpenImage> {
  const { bootstrap = "", from = "" } = stage;
  const image = await (async (): Promise<OpenImage> => {
    if (bootstrap === "scratch") return emptyImage(architecture);
    if (bootstrap === "localimage") return openLocalImage(resolve(folder, from), architecture);
    const kind = sourceKinds.find((known) => known === bootstrap);
    if (kind !== undefined) return openSource(sourceOf(kind, from, folder), architecture);
    const { emit, signal } = workshop;
    const transport = bootstrap === "oras" ? "oras" : "docker";
    return open({ transport, name: registryName(stage), architecture, emit, signal });
  })();
  // The file's own words say where it came from.
  return { ...image, origin: { bootstrap, from } };
}

function sourceOf(kind: SourceKind, from: string, folder: string) {
  const colon = from.indexOf(":");
  const path = resolve(folder, colon < 0 ? from : from.slice(0, colon));
  const reference = colon < 0 ? "" : from.slice(colon + 1);
  return { kind, path, ...(reference === "" ? {} : { reference }) };
}

/** The name of an image in a registry: `Registry:` and `Namespace:` come before it. */
function registryName(stage: DefStage): string {
  const header = (key: string): string | undefined =>
    stage.headers.get(key)?.value.replace(/^https?:\/\/|\/+$/g, "");
  return [header("registry"), header("namespace"), (stage.from ?? "").replace(/^\/\//, "")]
    .filter((part) => part !== undefined && part !== "")
    .join("/");
}

function emptyImage(architecture: string): OpenImage {
  const rootfs = { type: "layers", diff_ids: [] } as const;
  const config = { architecture, os: "linux", rootfs };
  return {
    config,
    configBytes: Buffer.from(JSON.stringify(config)),
    layers: [],
    hasOwnScripts: true,
    origin: { bootstrap: "scratch", from: "" },
    close: async () => {},
  };
}

async function buildByApptainer(obstacles: readonly Obstacle[], work: Work): Promise<Summary> {
  const { container, workshop, request } = work;
  workshop.emit({ type: "stage", stage: "Building with Apptainer" });
  const made = await apptainerBuild(container.path, container.arch, obstacles, workshop);
  try {
    await markSif(made.path);
    const { outputs } = work;
    if (outputs.every(({ kind }) => kind === "sif")) return await copyFinished(made.path, work, request);
    const image = await openLocalImage(made.path, container.arch);
    try {
      const others = outputs.filter(({ kind }) => kind !== "sif");
      const summary = await writeOutputs(image, undefined, { ...work, outputs: others }, request);
      await copyFinished(made.path, work, request);
      return summary;
    } finally {
      await image.close();
    }
  } finally {
    await made.remove();
  }
}

/** Copies a SIF file that Apptainer made to the outputs that ask for one. */
async function copyFinished(
  finished: string,
  { outputs, workshop }: Work,
  request: BuildRequest,
): Promise<Summary> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(finished, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  for (const { kind, path } of outputs) {
    if (kind !== "sif") continue;
    workshop.signal.throwIfAborted();
    const id = `write:${path}`;
    const label = `sif:${shownPath(path, request.directory)}`;
    workshop.emit({ type: "task-start", id, kind: "write", label, bytes: size });
    await replaceFile(path, request, isOurSif, (temporary) => copyFile(finished, temporary));
    workshop.emit({ type: "task-end", id, outcome: "done", bytes: size });
  }
  return { digest: digestOfHex(hash.digest("hex")), size, layers: 1, upToDate: false };
}

/** Writes the outputs: those that are OCI images from one image, made once. */
async function writeOutputs(
  source: SourceImage,
  additions: DefinitionAdditions | undefined,
  { configuration, names, outputs, workshop }: Work,
  request: BuildRequest,
): Promise<Summary> {
  const { emit, signal, store } = workshop;
  emit({ type: "stage", stage: "Writing the image" });
  const isFile = ({ kind }: Output): boolean => kind === "sif" || kind === "squashfs";
  const image = outputs.every(isFile)
    ? undefined
    : await definitionImage({
        names,
        source,
        additions,
        compression: layerSettings(configuration),
        store,
        signal,
      });
  const size = image?.layers.reduce((sum, layer) => sum + layer.size, image.config.descriptor.size) ?? 0;
  let summary: Summary | undefined =
    image === undefined
      ? undefined
      : { digest: image.manifest.descriptor.digest, size, layers: image.layers.length, upToDate: true };
  for (const output of outputs) {
    signal.throwIfAborted();
    const id = `write:${output.path}`;
    const label = `${output.kind}:${shownPath(output.path, request.directory)}`;
    const start = (bytes: number): void => emit({ type: "task-start", id, kind: "write", label, bytes });
    const options = {
      force: request.force,
      emit,
      signal,
      onBytes: (bytes: number) => emit({ type: "task-progress", id, bytes }),
    };
    if (isFile(output)) {
      const write = output.kind === "sif" ? writeSif : writeSquashfs;
      const written = await write(output.path, source, {
        ...options,
        onTotal: start,
        ...(additions === undefined ? {} : { additions }),
      });
      summary ??= {
        digest: written.digest,
        size: written.size,
        layers: source.layers.length + 1,
        upToDate: false,
      };
    } else if (image !== undefined) {
      const { digest } = image.manifest.descriptor;
      if (output.kind === "oci" && (await readLayoutImage(output.path))?.digest === digest) continue;
      start(size);
      const reference = output.kind === "docker-archive" ? `${names.name}:${names.version}` : names.version;
      await writeOutput(image, output, { ...options, facts: undefined, reference });
    }
    if (summary !== undefined) summary = { ...summary, upToDate: false };
    emit({ type: "task-end", id, outcome: "done" });
  }
  if (summary === undefined) throw new SpacktainersError("INTERNAL", "nothing was asked for");
  return summary;
}
