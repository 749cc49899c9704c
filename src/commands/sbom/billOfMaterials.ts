import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Container, Repository } from "../../definitions/repository.ts";
import { hostArchitecture } from "../../definitions/select.ts";
import { platformOf } from "../../image/image.ts";
import { factsOfPlan } from "../../pipeline/assemble/imageFacts.ts";
import { layoutFacts } from "../../pipeline/describe/layoutFacts.ts";
import { anyImage } from "../../pipeline/describe/packageListing.ts";
import { defaultOutput } from "../../pipeline/images/builtImage.ts";
import { namesRegistryImage, publishedReference } from "../../pipeline/images/publishedReference.ts";
import { openContainerForBuild } from "../../pipeline/plan/openContainer.ts";
import { planContainer } from "../../pipeline/plan/planContainer.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { selectOne } from "../../pipeline/workspace/selectOne.ts";
import { inWorkshop } from "../../pipeline/workspace/workshop.ts";
import { openRepository, openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { artifactRepository } from "../../publish/artifactRepository.ts";
import { openRegistries } from "../../registry/openRegistries.ts";
import { resolveImage } from "../../registry/resolveImage.ts";
import { cycloneDxDocument, cycloneDxMediaType } from "../../supply/cycloneDx.ts";
import { attachedDocument } from "../../supply/foundDocuments.ts";
import type { ImageFacts } from "../../supply/imageFacts.ts";
import { spdxDocument, spdxMediaType } from "../../supply/spdx.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";

/** Formats of bills of materials. */
export const billFormats = ["spdx", "cyclonedx"] as const;
export type BillFormat = (typeof billFormats)[number];

/** A command line of `sbom`. */
export interface BillRequest {
  readonly directory: string;
  /** A container's name, a layout's directory, with `oci:` before it or not, or an image in a registry. */
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
  /** Undefined for a document that was made elsewhere. */
  readonly packages: number | undefined;
  readonly osPackages: number | undefined;
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
  if (await namesRegistryImage(request.directory, request.image)) return publishedBill(request);
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

/** The bill of materials that is attached to an image in a registry. */
async function publishedBill(request: BillRequest): Promise<BillOfMaterials> {
  const { emit, signal, format } = request;
  const definitions = await openRepository(request.directory);
  const named = await publishedReference(request, definitions);
  const registries = openRegistries({ configured: definitions.configuration.registries, emit, signal });
  try {
    const repository = registries.repository(named.repository);
    const platform = platformOf(asArchitecture(request.arch) ?? hostArchitecture());
    const image = await resolveImage(repository, named.reference, platform);
    const mediaType = format === "spdx" ? spdxMediaType : cycloneDxMediaType;
    const document = await attachedDocument(artifactRepository(repository), image.manifestDigest, mediaType);
    if (document === undefined)
      throw new SpacktainersError("NOT_FOUND", "no bill of materials is attached to the image", {
        place: { url: named.text },
        hint: "those that `spacktainers push` publishes have one",
      });
    const text = `${JSON.stringify(document, undefined, 2)}\n`;
    const file = request.output === undefined ? undefined : resolve(request.directory, request.output);
    if (file !== undefined) await writeFileAtomically(file, text);
    const { annotations = {} } = image.manifest;
    return {
      name: annotations["org.opencontainers.image.title"] ?? named.text,
      version: annotations["org.opencontainers.image.version"] ?? "",
      digest: image.manifestDigest,
      format,
      packages: undefined,
      osPackages: undefined,
      text,
      file,
    };
  } finally {
    await registries.close();
  }
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

/** What a build would make, found out without making it. */
async function factsToBe(
  container: Container,
  { configuration }: Repository,
  request: BillRequest,
): Promise<ImageFacts> {
  return inWorkshop(configuration, { ...request, jobs: undefined }, async (workshop) => {
    const options = { ...request, frozen: false, strip: undefined, keepMetadata: false, allowUnresolved: [] };
    const opened = await openContainerForBuild(container, configuration, options, workshop);
    const plan = await planContainer(opened, options, workshop);
    return factsOfPlan(plan, await plan.base.build(), request.emit);
  });
}

async function isLayout(path: string): Promise<boolean> {
  return stat(join(path, "oci-layout")).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
