import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Container, Repository } from "../definitions/repository.ts";
import { cycloneDxDocument } from "../supply/cycloneDx.ts";
import type { ImageFacts } from "../supply/imageFacts.ts";
import { spdxDocument } from "../supply/spdx.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import type { EmitEvent } from "../util/events.ts";
import { baseName } from "./baseSpec.ts";
import { defaultOutput } from "./builtImage.ts";
import { baseFacts, plannedFacts } from "./imageFacts.ts";
import { layoutFacts } from "./layoutFacts.ts";
import { licenseFacts } from "./licenseFacts.ts";
import { anyImage } from "./packageListing.ts";
import { openContainerForBuild, planContainer } from "./planContainer.ts";
import { selectOne } from "./selectOne.ts";
import { inWorkshop } from "./workshop.ts";
import { openRepository, openSoundRepository } from "./workspace.ts";

/** Formats of bills of materials. */
export const billFormats = ["spdx", "cyclonedx"] as const;
export type BillFormat = (typeof billFormats)[number];

/** A command line of `sbom`. */
export interface BillRequest {
  readonly directory: string;
  /** A container's name, or a layout's directory, with `oci:` before it or not. */
  readonly image: string;
  readonly arch: string | undefined;
  readonly format: BillFormat;
  /** A file to write; undefined: none. */
  readonly output: string | undefined;
  readonly caches: readonly string[];
  readonly trust: readonly string[];
  readonly refresh: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** A bill of materials. */
export interface BillOfMaterials {
  readonly name: string;
  readonly version: string;
  /** Of the manifest; undefined when the image is not built. */
  readonly digest: string | undefined;
  readonly format: BillFormat;
  readonly packages: number;
  readonly osPackages: number;
  /** The document, as text. */
  readonly text: string;
  /** The file written. */
  readonly file: string | undefined;
}

/**
 * The bill of materials of a built image; of a container that is not built, of what a build would put into it now.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `NOT_SUPPORTED` for images without Spack packages; of resolving
 */
export async function billOfMaterials(request: BillRequest): Promise<BillOfMaterials> {
  const facts = await factsOf(request);
  const document = request.format === "spdx" ? spdxDocument(facts) : cycloneDxDocument(facts);
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  const file = request.output === undefined ? undefined : resolve(request.directory, request.output);
  if (file !== undefined) await writeFileAtomically(file, text);
  return {
    name: facts.name,
    version: facts.version,
    digest: facts.manifest?.digest,
    format: request.format,
    packages: facts.packages.length,
    osPackages: facts.base.packages.length,
    text,
    file,
  };
}

async function factsOf(request: BillRequest): Promise<ImageFacts> {
  const named = request.image.replace(/^oci:/, "");
  const path = resolve(request.directory, named);
  if (await isLayout(path)) return layoutFacts(path, await anyImage(path));
  const repository = await openRepository(request.directory);
  const container = await selectOne(named, repository, request);
  const output = defaultOutput(repository.configuration.output, container);
  if (await isLayout(output)) return layoutFacts(output, await anyImage(output));
  request.emit({
    type: "warning",
    code: "NOTICE",
    message: `${container.name} is not built: this is what a build would put into it now`,
  });
  return factsToBe(container, await openSoundRepository(request.directory), request);
}

/** What a build would make, found out without making it: only a base is, which says which OS packages it has. */
async function factsToBe(
  container: Container,
  { configuration }: Repository,
  request: BillRequest,
): Promise<ImageFacts> {
  const planning = { frozen: false, strip: undefined, keepMetadata: false, allowUnresolved: [], ...request };
  return inWorkshop(configuration, { ...request, jobs: undefined }, async (tools) => {
    const opened = await openContainerForBuild(container, configuration, planning, tools);
    const plan = await planContainer(opened, planning, tools);
    const base = await plan.base.build();
    return plannedFacts(
      plan,
      baseFacts(base, baseName(configuration.base, base), plan.baseDigest),
      await licenseFacts(configuration, plan.resolved.graph, request.emit),
    );
  });
}

async function isLayout(path: string): Promise<boolean> {
  return stat(join(path, "oci-layout")).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
