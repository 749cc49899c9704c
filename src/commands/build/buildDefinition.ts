/** Building Apptainer definition files: natively where nothing has to be run, else by Apptainer. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile } from "node:fs/promises";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { replaceFile } from "../../image/outputTarget.ts";
import { platformOf } from "../../image/platform.ts";
import { builtImage, defaultOutput, summaryOf } from "../../pipeline/images/builtImages.ts";
import { layerSettings } from "../../pipeline/plan/layerSettings.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import {
  type Output,
  outputReference,
  outputTask,
  parseOutput,
  writeOutput,
} from "../../pipeline/workspace/outputs.ts";
import { isOurSif, markSif } from "../../sif/markSif.ts";
import { openLocalImage } from "../../sif/openLocalImage.ts";
import { writeSif, writeSquashfs } from "../../sif/writeSif.ts";
import { digestOfHex } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { runTask } from "../../util/events.ts";
import { expectWritable } from "../../util/expectWritable.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { apptainerBuild, type Obstacle } from "./apptainerBuild.ts";
import type { BuildResult } from "./buildContainer.ts";
import { definitionImage } from "./definitionImage.ts";
import {
  type DefinitionResources,
  type DefinitionSource,
  readDefinition,
  withNativeSource,
} from "./definitionSource.ts";

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
  resources: DefinitionResources,
): Promise<BuildResult> {
  const started = performance.now();
  const definition = await readDefinition(container);
  const { names } = definition;
  const outputs: readonly Output[] =
    request.outputs.length === 0
      ? [{ kind: "oci", path: defaultOutput(configuration.output, container) }]
      : request.outputs.map((one) => parseOutput(one, request.directory, names));
  for (const { path } of outputs) await expectWritable(path);
  if (definition.contents.test !== undefined)
    resources.emit({
      type: "warning",
      code: "NOTICE",
      message: `%test of ${names.name} is not run by building it`,
      hint: `spacktainers test ${names.name}`,
    });
  const written = { container, configuration, names, outputs, request, resources };
  const summary =
    definition.obstacles.length > 0
      ? await buildByApptainer(definition.obstacles, written)
      : await withNativeSource(definition, { container, configuration, resources }, (source) =>
          writeOutputs(source, written, request),
        );
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
  readonly resources: DefinitionResources;
}

type Summary = Pick<BuildResult, "digest" | "size" | "layers" | "upToDate">;

async function buildByApptainer(obstacles: readonly Obstacle[], work: Work): Promise<Summary> {
  const { container, resources, request } = work;
  resources.emit({ type: "stage", stage: "run-apptainer" });
  const made = await apptainerBuild(container.path, container.arch, obstacles, resources);
  try {
    await markSif(made.path);
    const { outputs } = work;
    if (outputs.every(({ kind }) => kind === "sif")) return await copyFinished(made.path, work, request);
    const image = await openLocalImage(made.path, [platformOf(container.arch)]);
    try {
      const others = outputs.filter(({ kind }) => kind !== "sif");
      const summary = await writeOutputs(
        { image, additions: undefined, inputs: undefined },
        { ...work, outputs: others },
        request,
      );
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
  { outputs, resources }: Work,
  request: BuildRequest,
): Promise<Summary> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(finished, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  for (const output of outputs) {
    if (output.kind !== "sif") continue;
    stopIfAborted(resources.signal);
    await runTask(resources.emit, outputTask(output, request.directory, size), () =>
      replaceFile(output.path, request, isOurSif, (temporary) => copyFile(finished, temporary)),
    );
  }
  return { digest: digestOfHex(hash.digest("hex")), size, layers: 1, upToDate: false };
}

/** Writes the outputs: those that are OCI images from one image, made once. */
async function writeOutputs(
  { image: source, additions, inputs }: DefinitionSource,
  { configuration, names, outputs, resources }: Work,
  request: BuildRequest,
): Promise<Summary> {
  const { emit, signal, store } = resources;
  emit({ type: "stage", stage: "write-image" });
  const isFile = ({ kind }: Output): boolean => kind === "sif" || kind === "squashfs";
  const image = outputs.every(isFile)
    ? undefined
    : await definitionImage({
        names,
        source,
        additions,
        inputs,
        compression: layerSettings(configuration),
        store,
        signal,
      });
  const made = image && summaryOf(image);
  let summary: Summary | undefined = made && {
    digest: made.digest,
    size: made.size,
    layers: made.layers,
    upToDate: true,
  };
  for (const output of outputs) {
    stopIfAborted(signal);
    const there = output.kind === "oci" && made !== undefined ? await builtImage(output.path) : undefined;
    if (there !== undefined && there.manifest.descriptor.digest === made?.digest) continue;
    const bytes = isFile(output) ? undefined : made?.size;
    const written = await runTask(
      emit,
      outputTask(output, request.directory, bytes),
      async ({ progress, size }) => {
        const options = { force: request.force, emit, signal, onBytes: progress, onTotal: size };
        if (isFile(output)) {
          const write = output.kind === "sif" ? writeSif : writeSquashfs;
          return write(output.path, source, {
            ...options,
            additions,
          });
        }
        if (image !== undefined) {
          const reference = outputReference(output, names);
          await writeOutput(image, output, { ...options, facts: undefined, reference });
        }
        return undefined;
      },
    );
    if (written !== undefined)
      summary ??= {
        digest: written.digest,
        size: written.size,
        layers: (await source.layers()).length + 1,
        upToDate: false,
      };
    if (summary !== undefined) summary = { ...summary, upToDate: false };
  }
  if (summary === undefined) throw new SpacktainersError("INTERNAL", "nothing was asked for");
  return summary;
}
