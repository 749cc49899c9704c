import { withOtherCopies } from "../../buildcache/otherCopy.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { decideImage, localImage } from "../../pipeline/assemble/makeImage.ts";
import { defaultOutput, readLayoutImage } from "../../pipeline/images/builtImage.ts";
import { openContainerForBuild } from "../../pipeline/plan/openContainer.ts";
import { planContainer } from "../../pipeline/plan/planContainer.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import { type Output, parseOutput, writeOutputs } from "../../pipeline/workspace/outputs.ts";
import type { Workshop } from "../../pipeline/workspace/workshop.ts";
import { writeFacts } from "../../supply/factsDocument.ts";

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
  return withOtherCopies(() => buildOnce(container, configuration, request, workshop));
}

async function buildOnce(
  container: Container,
  configuration: Configuration,
  request: BuildRequest,
  workshop: Workshop,
): Promise<BuildResult> {
  const started = performance.now();
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
  await writeOutputs(image, outputs, names, {
    directory: request.directory,
    force: request.force,
    facts: made.facts === undefined ? undefined : writeFacts(made.facts),
    emit: workshop.emit,
    signal: workshop.signal,
  });
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
