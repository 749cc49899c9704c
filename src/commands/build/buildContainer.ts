import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { decideImage, localImage } from "../../pipeline/assemble/makeImage.ts";
import { defaultOutput, readLayoutImage } from "../../pipeline/images/builtImage.ts";
import { openContainerForBuild, planContainer } from "../../pipeline/plan/planContainer.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import { type Output, parseOutput, writeOutput } from "../../pipeline/workspace/outputs.ts";
import type { Workshop } from "../../pipeline/workspace/workshop.ts";
import { writeFacts } from "../../supply/factsDocument.ts";
import { shownPath } from "../../util/shownPath.ts";

/** A finished image. */
export interface BuildResult {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  /** Of the manifest. */
  readonly digest: string;
  /** Compressed bytes. */
  readonly size: number;
  readonly layers: number;
  readonly packages: readonly { readonly name: string; readonly version: string; readonly hash: string }[];
  /** Packages of which nothing had to be made. */
  readonly reused: number;
  /** The image was there already, made of the same inputs. */
  readonly upToDate: boolean;
  readonly outputs: readonly Output[];
  readonly milliseconds: number;
}

/**
 * Builds one container's image: resolve, verify, install, merge, check, write.
 *
 * @throws {SpacktainersError} of any stage; nothing half-written is left, and what is finished is kept for the next run
 */
export async function buildContainer(
  container: Container,
  configuration: Configuration,
  request: BuildRequest,
  workshop: Workshop,
): Promise<BuildResult> {
  const started = performance.now();
  const { emit, signal } = workshop;
  const opened = await openContainerForBuild(container, configuration, request, workshop);
  const plan = await planContainer(opened, request, workshop);
  const decided = await decideImage(plan, workshop, undefined);
  const { names } = decided;
  const outputs: readonly Output[] =
    request.outputs.length === 0
      ? [{ kind: "oci", path: defaultOutput(configuration.output, container) }]
      : request.outputs.map((text) => parseOutput(text, request.directory, names));
  const packages = plan.fragments.map(({ spec: { name, version, hash } }) => ({ name, version, hash }));
  const present = await sameImage(outputs, decided.inputs);
  if (present !== undefined)
    return {
      ...names,
      packages,
      reused: packages.length,
      outputs,
      digest: present.digest,
      size: present.size,
      layers: present.layers,
      upToDate: true,
      milliseconds: performance.now() - started,
    };
  const made = await decided.make();
  const image = localImage(made.image);
  const size = image.layers.reduce((sum, layer) => sum + layer.size, image.config.descriptor.size);
  emit({ type: "stage", stage: "Writing the image" });
  for (const output of outputs) {
    signal.throwIfAborted();
    const id = `write:${output.path}`;
    const label = `${output.kind}:${shownPath(output.path, request.directory)}`;
    emit({ type: "task-start", id, kind: "write", label, bytes: size });
    await writeOutput(image, output, {
      reference: output.kind === "docker-archive" ? `${names.name}:${names.version}` : names.version,
      force: request.force,
      facts: made.facts === undefined ? undefined : writeFacts(made.facts),
      onBytes: (bytes) => emit({ type: "task-progress", id, bytes }),
      emit,
      signal,
    });
    emit({ type: "task-end", id, outcome: "done", bytes: size });
  }
  return {
    ...names,
    packages,
    reused: made.reused,
    outputs,
    digest: image.manifest.descriptor.digest,
    size,
    layers: image.layers.length,
    upToDate: false,
    milliseconds: performance.now() - started,
  };
}

/** The image in all outputs, when they are layouts that hold what these inputs give. */
async function sameImage(outputs: readonly Output[], inputs: string): ReturnType<typeof readLayoutImage> {
  let present: Awaited<ReturnType<typeof readLayoutImage>>;
  for (const output of outputs) {
    if (output.kind !== "oci") return undefined;
    present = await readLayoutImage(output.path);
    if (present?.inputs !== inputs) return undefined;
  }
  return present;
}
