import { withOtherCopies } from "../../buildcache/otherCopy.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { Provided } from "../../pipeline/compile/buildMissing.ts";
import { decideImage } from "../../pipeline/epilogue/makeImage.ts";
import {
  builtImage,
  defaultOutput,
  type ImageSummary,
  summaryOf,
} from "../../pipeline/images/builtImages.ts";
import { planContainer } from "../../pipeline/plan/planContainer.ts";
import type { BuildRequest } from "../../pipeline/workspace/buildRequest.ts";
import { type Output, parseOutput, writeOutputs } from "../../pipeline/workspace/outputs.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { writeDescription } from "../../supply/descriptionDocument.ts";
import { expectWritable } from "../../util/expectWritable.ts";

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
  /** Packages for which nothing had to be made. */
  readonly reused: number;
  /** The image already existed, made from the same inputs. */
  readonly upToDate: boolean;
  /** Packages that Spack had to build first; absent if the caches had all packages. */
  readonly compiled?: { readonly packages: readonly string[]; readonly seconds: number };
  readonly outputs: readonly Output[];
  readonly milliseconds: number;
}

/**
 * Builds one container's image: build what no cache has, where that is allowed; resolve, verify, install, merge, check, write.
 *
 * @throws {SpacktainersError} of any stage; nothing half-written is left, and what is finished is kept for the next run
 */
export async function buildContainer(
  container: Container,
  configuration: Configuration,
  request: BuildRequest,
  resources: Resources,
): Promise<BuildResult> {
  const started = performance.now();
  const provided =
    resources.building === undefined
      ? { container, compiled: undefined }
      : await provide(container, configuration, resources);
  return withOtherCopies(() => assemble(provided, { started, configuration, request, resources }));
}

/** Builds what no cache has, by code that most builds do without. */
async function provide(
  container: Container,
  configuration: Configuration,
  resources: Resources,
): Promise<Provided> {
  const { buildMissing } = await import("../../pipeline/compile/buildMissing.ts");
  const { publisher } = await import("../../pipeline/compile/publisher.ts");
  return buildMissing(container, configuration, resources, publisher(configuration, resources));
}

/** What an image is assembled with. */
interface Assembling {
  readonly started: number;
  readonly configuration: Configuration;
  readonly request: BuildRequest;
  readonly resources: Resources;
}

/** The image of packages that are all in caches. */
async function assemble(
  provided: Provided,
  { started, configuration, request, resources }: Assembling,
): Promise<BuildResult> {
  const { container } = provided;
  const compiled =
    provided.compiled === undefined
      ? {}
      : { compiled: { packages: provided.compiled.built, seconds: provided.compiled.seconds } };
  const plan = await planContainer(container, configuration, { request, tools: resources });
  const decided = await decideImage(plan, resources, undefined);
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
      ...compiled,
      reused: packages.length,
      outputs,
      ...sizesOf(present),
      upToDate: true,
      milliseconds: performance.now() - started,
    };
  for (const { path } of outputs) await expectWritable(path);
  const made = await decided.make();
  await writeOutputs(made.image, outputs, names, {
    directory: request.directory,
    force: request.force,
    facts: made.facts === undefined ? undefined : writeDescription(made.facts),
    emit: resources.emit,
    signal: resources.signal,
  });
  return {
    ...names,
    packages,
    ...compiled,
    reused: made.reused,
    outputs,
    ...sizesOf(summaryOf(made.image)),
    upToDate: false,
    milliseconds: performance.now() - started,
  };
}

/** The image in all outputs, when they are layouts that hold what these inputs give. */
async function sameImage(outputs: readonly Output[], inputs: string): Promise<ImageSummary | undefined> {
  let present: ImageSummary | undefined;
  for (const output of outputs) {
    const image = output.kind === "oci" ? await builtImage(output.path) : undefined;
    present = image && summaryOf(image);
    if (present?.inputs !== inputs) return undefined;
  }
  return present;
}

function sizesOf({ digest, size, layers }: ImageSummary): Pick<BuildResult, "digest" | "size" | "layers"> {
  return { digest, size, layers };
}
