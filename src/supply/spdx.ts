/** Bills of materials in SPDX 2.3 (ISO/IEC 5962), JSON form. */
import { type Digest, hexOfDigest } from "../util/digest.ts";
import { type Component, componentsOf } from "./components.ts";
import { contentUuid } from "./contentUuid.ts";
import type { ImageDescription } from "./imageDescription.ts";
import { purl } from "./purl.ts";

/** Media type of the document. */
export const spdxMediaType = "application/spdx+json";

/** The parts of an SPDX document that we write. */
export interface SpdxDocument {
  readonly spdxVersion: "SPDX-2.3";
  readonly dataLicense: "CC0-1.0";
  readonly SPDXID: "SPDXRef-DOCUMENT";
  readonly name: string;
  readonly documentNamespace: string;
  readonly creationInfo: { readonly created: string; readonly creators: readonly string[] };
  readonly packages: readonly SpdxPackage[];
  readonly relationships: readonly SpdxRelationship[];
}

interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo?: string;
  readonly supplier: string;
  readonly downloadLocation: string;
  readonly filesAnalyzed: false;
  readonly checksums?: readonly { readonly algorithm: "SHA256"; readonly checksumValue: string }[];
  readonly licenseConcluded: string;
  readonly licenseDeclared: string;
  readonly copyrightText: "NOASSERTION";
  readonly primaryPackagePurpose?: string;
  readonly comment?: string;
  readonly externalRefs: readonly {
    readonly referenceCategory: "PACKAGE-MANAGER";
    readonly referenceType: "purl";
    readonly referenceLocator: string;
  }[];
  readonly annotations?: readonly {
    readonly annotationDate: string;
    readonly annotationType: "OTHER";
    readonly annotator: string;
    readonly comment: string;
  }[];
}

interface SpdxRelationship {
  readonly spdxElementId: string;
  readonly relationshipType: "DESCRIBES" | "CONTAINS" | "DEPENDS_ON" | "PREREQUISITE_FOR";
  readonly relatedSpdxElement: string;
}

const nobodySays = "NOASSERTION";
const imageId = "SPDXRef-Image";

/**
 * The bill of materials of an image. The same facts give the same document: its time is the image's, its namespace stands
 * for its content.
 *
 * What SPDX has no field for (variants, target, compiler, DAG hash, prefix, layer, …) is an annotation of the package: a
 * JSON object, names as in the CycloneDX properties.
 */
export function spdxDocument(facts: ImageDescription): SpdxDocument {
  const components = componentsOf(facts);
  const tool = `Tool: spacktainers${facts.toolVersion === undefined ? "" : `-${facts.toolVersion}`}`;
  const packages = [imagePackage(facts, tool), ...components.map((one) => packageOf(one, facts, tool))];
  const contained = components.filter(({ kind }) => kind !== "external");
  const relationships: SpdxRelationship[] = [
    relationship("SPDXRef-DOCUMENT", "DESCRIBES", imageId),
    ...contained.map(({ id }) => relationship(imageId, "CONTAINS", spdxId(id))),
    ...components.flatMap(({ id, needs }) =>
      needs.map((needed) => relationship(spdxId(id), "DEPENDS_ON", spdxId(needed))),
    ),
    ...components
      .filter(({ kind }) => kind === "external")
      .map(({ id }) => relationship(spdxId(id), "PREREQUISITE_FOR", imageId)),
  ];
  const name = `${facts.name}-${facts.version}-${facts.platform.architecture}`;
  const creationInfo = { created: facts.created, creators: [tool] };
  const uuid = contentUuid(JSON.stringify([facts.manifest?.digest, creationInfo, packages, relationships]));
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name,
    // The form the specification gives to those without a domain of their own.
    documentNamespace: `https://spdx.org/spdxdocs/${encodeURIComponent(name)}-${uuid}`,
    creationInfo,
    packages,
    relationships,
  };
}

function imagePackage(facts: ImageDescription, tool: string): SpdxPackage {
  return {
    SPDXID: imageId,
    name: facts.name,
    versionInfo: facts.version,
    supplier: nobodySays,
    downloadLocation: nobodySays,
    filesAnalyzed: false,
    ...checksums(facts.manifest?.digest),
    licenseConcluded: nobodySays,
    licenseDeclared: nobodySays,
    copyrightText: nobodySays,
    primaryPackagePurpose: "CONTAINER",
    externalRefs: [purlReference(imagePurl(facts))],
    annotations: [
      annotation(facts, tool, {
        base: facts.base.name,
        inputs: facts.inputs.all,
        layers: facts.layers.map(({ digest, diffId, role }) => ({ digest, diffId, role })),
      }),
    ],
  };
}

/** The package URL of the image itself. */
export function imagePurl({ name, version, manifest, platform }: ImageDescription): string {
  return purl({
    type: "oci",
    name: name.toLowerCase(),
    ...(manifest === undefined ? {} : { version: manifest.digest }),
    qualifiers: { arch: platform.architecture, tag: version },
  });
}

function packageOf(component: Component, facts: ImageDescription, tool: string): SpdxPackage {
  const { id, kind, name, version, digest, downloadUrl, supplier, license, properties } = component;
  return {
    SPDXID: spdxId(id),
    name,
    versionInfo: version,
    supplier: supplier === undefined ? nobodySays : `Organization: ${supplier}`,
    downloadLocation: downloadUrl ?? nobodySays,
    filesAnalyzed: false,
    ...checksums(digest),
    licenseConcluded: nobodySays,
    licenseDeclared: license ?? nobodySays,
    copyrightText: nobodySays,
    ...(kind === "external" ? { comment: "not in the image's layers: provided by the base" } : {}),
    externalRefs: [purlReference(component.purl)],
    annotations: [annotation(facts, tool, Object.fromEntries(properties))],
  };
}

function checksums(digest: Digest | undefined): Pick<SpdxPackage, "checksums"> {
  return digest === undefined
    ? {}
    : { checksums: [{ algorithm: "SHA256", checksumValue: hexOfDigest(digest) }] };
}

function annotation(
  facts: ImageDescription,
  annotator: string,
  content: object,
): NonNullable<SpdxPackage["annotations"]>[number] {
  return {
    annotationDate: facts.created,
    annotationType: "OTHER",
    annotator,
    comment: JSON.stringify(content),
  };
}

function purlReference(locator: string): SpdxPackage["externalRefs"][number] {
  return { referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: locator };
}

/** SPDX identifiers have letters, digits, `.` and `-` only: a `+`, as in `libstdc++6`, is spelt out. */
function spdxId(id: string): string {
  return `SPDXRef-${id.replaceAll("+", ".plus").replaceAll(/[^A-Za-z0-9.-]/g, "-")}`;
}

function relationship(
  spdxElementId: string,
  relationshipType: SpdxRelationship["relationshipType"],
  relatedSpdxElement: string,
): SpdxRelationship {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}
