import { resolve } from "node:path";
import type { Container, Repository } from "../../definitions/repository.ts";
import { assemblyAnnotation } from "../../image/annotations.ts";
import { isRegistryImage, type RegistryImage } from "../../image/openRegistryImage.ts";
import { describePlanned } from "../../pipeline/assemble/describeBuilt.ts";
import { describeImage } from "../../pipeline/describe/describeImage.ts";
import { loadVerificationKeys } from "../../pipeline/describe/keyFiles.ts";
import { findImage } from "../../pipeline/images/findImage.ts";
import { openSubject } from "../../pipeline/images/openSubject.ts";
import { planContainer } from "../../pipeline/plan/planContainer.ts";
import { withResources } from "../../pipeline/workspace/resources.ts";
import { selectOne } from "../../pipeline/workspace/selectOne.ts";
import { openRepository, openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { artifactRepository } from "../../publish/artifactRepository.ts";
import { cycloneDxDocument, cycloneDxMediaType } from "../../supply/cycloneDx.ts";
import type { ImageDescription } from "../../supply/imageDescription.ts";
import { publishedBill } from "../../supply/publishedBill.ts";
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
  /** An image in any form that `findImage` knows. */
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
 * The bill of materials of an image; of a container that is not here, of what a build would put into it now. Of an image in a
 * registry it is the document beside it: where public keys are configured, only what one of them has stated.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`; `NOT_SUPPORTED` for images without Spack packages; `SIGNATURE_MISSING` when
 *   no trusted key has stated what is attached; of opening images, of resolving
 */
export async function billOfMaterials(request: BillRequest): Promise<BillOfMaterials> {
  const repository = await openRepository(request.directory);
  const subject = await findImage(request.image, repository, request);
  const { container, form, found } = subject;
  if (container !== undefined && (form === undefined || found === "published")) {
    request.emit({
      type: "warning",
      code: "NOTICE",
      message: `${container.name} is not built: this is what a build would put into it now`,
    });
    const sound = await openSoundRepository(request.directory);
    return ofFacts(await factsToBe(await selectOne(request.image, sound, request), sound, request), request);
  }
  const { arch, emit, signal } = request;
  const { registries } = repository.configuration;
  const image = await openSubject(subject, { arch, registries, emit, signal });
  try {
    return isRegistryImage(image)
      ? await ofRegistryImage(image, repository, request)
      : await ofFacts(await describeImage(image), request);
  } finally {
    await image.close();
  }
}

/** The bill of materials that is attached to an image in a registry; for an image of spacktainers without one, what it says about itself. */
async function ofRegistryImage(
  image: RegistryImage,
  { configuration }: Repository,
  request: BillRequest,
): Promise<BillOfMaterials> {
  const { format, directory, emit } = request;
  const { descriptor, value } = image.manifest;
  const { annotations = {} } = value;
  const place = { url: image.reference ?? "" };
  const keys = await loadVerificationKeys(configuration.signing.public, directory);
  const mediaType = format === "spdx" ? spdxMediaType : cycloneDxMediaType;
  const bill = await publishedBill(artifactRepository(image.repository), descriptor.digest, mediaType, keys);
  if (bill.kind === "refused")
    throw new SpacktainersError(
      "SIGNATURE_MISSING",
      "no trusted key has stated the bill of materials that is attached to the image",
      { place, hint: "`spacktainers verify` shows what is attached; name the keys in `signing: public:`" },
    );
  if (bill.kind === "none") {
    if (annotations[assemblyAnnotation] === undefined)
      throw new SpacktainersError("NOT_FOUND", "no bill of materials is attached to the image", {
        place,
        hint: "those that `spacktainers push` publishes have one",
      });
    emit({
      type: "warning",
      code: "NOTICE",
      message: "no bill of materials is attached to the image: this is what the image says about itself",
      place,
    });
    return ofFacts(await describeImage(image), request);
  }
  if (bill.kind === "unattested")
    emit({
      type: "warning",
      code: "NOTICE",
      message:
        "no trusted key signed this bill of materials: anyone who may write to the repository can have put it there",
      place,
      hint: "name the public keys that may sign: `signing: { public: [cosign.pub] }` in spacktainers.yaml",
    });
  return written(bill.document, request, {
    name: annotations["org.opencontainers.image.title"] ?? request.image.replace(/^docker:\/\//, ""),
    version: annotations["org.opencontainers.image.version"] ?? "",
    digest: descriptor.digest,
    packages: undefined,
    osPackages: undefined,
  });
}

function ofFacts(facts: ImageDescription, request: BillRequest): Promise<BillOfMaterials> {
  const document = request.format === "spdx" ? spdxDocument(facts) : cycloneDxDocument(facts);
  return written(document, request, {
    name: facts.name,
    version: facts.version,
    digest: facts.manifest?.digest,
    packages: facts.packages.length,
    osPackages: facts.base.packages.length,
  });
}

/** The document as text, and in the file asked for. */
async function written(
  document: object,
  { format, output, directory }: BillRequest,
  about: Pick<BillOfMaterials, "name" | "version" | "digest" | "packages" | "osPackages">,
): Promise<BillOfMaterials> {
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  const file = output === undefined ? undefined : resolve(directory, output);
  if (file !== undefined) await writeFileAtomically(file, text);
  const { name, version, digest, packages, osPackages } = about;
  return { name, version, digest, format, packages, osPackages, text, file };
}

/** What a build would make, found out without making it. */
async function factsToBe(
  container: Container,
  { configuration }: Repository,
  request: BillRequest,
): Promise<ImageDescription> {
  return withResources(configuration, { ...request, jobs: undefined }, async (resources) => {
    const options = {
      ...request,
      frozen: false,
      strip: undefined,
      keepMetadata: false,
      allowUnresolved: [],
      buildArguments: new Map<string, string>(),
      epilogueNetwork: undefined,
    };
    const plan = await planContainer(container, configuration, { request: options, tools: resources });
    return describePlanned(plan, await plan.base.build(), request.emit);
  });
}
