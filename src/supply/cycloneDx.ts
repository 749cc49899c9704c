/** Bills of materials in CycloneDX 1.6 (ECMA-424), JSON form. */
import { type Digest, hexOfDigest } from "../util/digest.ts";
import { type Component, componentsOf, propertyPrefix } from "./components.ts";
import { contentUuid } from "./contentUuid.ts";
import type { ImageDescription } from "./imageDescription.ts";
import { imagePurl } from "./spdx.ts";

/** Media type of the document. */
export const cycloneDxMediaType = "application/vnd.cyclonedx+json";

/** The parts of a CycloneDX document that we write. */
export interface CycloneDxDocument {
  readonly $schema: string;
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly serialNumber: string;
  readonly version: 1;
  readonly metadata: {
    readonly timestamp: string;
    readonly tools: { readonly components: readonly object[] };
    readonly component: CycloneDxComponent;
  };
  readonly components: readonly CycloneDxComponent[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface CycloneDxComponent {
  readonly type: "container" | "application" | "library" | "operating-system";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version?: string;
  readonly supplier?: { readonly name: string };
  readonly scope?: "required" | "excluded";
  readonly hashes?: readonly { readonly alg: "SHA-256"; readonly content: string }[];
  readonly licenses?: readonly object[];
  readonly purl?: string;
  readonly externalReferences?: readonly object[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/**
 * The bill of materials of an image. The same facts give the same document: its time is the image's, its serial number
 * stands for its content.
 */
export function cycloneDxDocument(facts: ImageDescription): CycloneDxDocument {
  const listed = componentsOf(facts);
  const image = imageComponent(facts);
  const system = systemComponent(facts);
  const components = [...(system === undefined ? [] : [system]), ...listed.map(componentOf)];
  const tops = listed.filter(({ root, kind }) => root || kind === "os").map(({ id }) => id);
  const dependencies = [
    { ref: image["bom-ref"], dependsOn: tops.sort() },
    ...listed.map(({ id, needs }) => ({ ref: id, dependsOn: needs })),
  ];
  const metadata = {
    timestamp: facts.created,
    tools: {
      components: [
        {
          type: "application",
          name: "spacktainers",
          ...(facts.toolVersion === undefined ? {} : { version: facts.toolVersion }),
        },
      ],
    },
    component: image,
  };
  const uuid = contentUuid(JSON.stringify([facts.manifest?.digest, metadata, components, dependencies]));
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuid}`,
    version: 1,
    metadata,
    components,
    dependencies,
  };
}

function imageComponent(facts: ImageDescription): CycloneDxComponent {
  return {
    type: "container",
    "bom-ref": "image",
    name: facts.name,
    version: facts.version,
    ...hashes(facts.manifest?.digest),
    purl: imagePurl(facts),
    properties: [
      { name: `${propertyPrefix}base`, value: facts.base.name },
      ...(facts.inputs.all === undefined
        ? []
        : [{ name: `${propertyPrefix}inputs`, value: facts.inputs.all }]),
      ...facts.layers.map(({ digest, role }) => ({
        name: `${propertyPrefix}layer:${role}`,
        value: digest,
      })),
    ],
  };
}

function hashes(digest: Digest | undefined): Pick<CycloneDxComponent, "hashes"> {
  return digest === undefined ? {} : { hashes: [{ alg: "SHA-256", content: hexOfDigest(digest) }] };
}

/** The distribution, by which scanners know whose advisories count. */
function systemComponent({ base }: ImageDescription): CycloneDxComponent | undefined {
  if (base.distribution === undefined) return undefined;
  const { id, versionId, codename } = base.distribution;
  return {
    type: "operating-system",
    "bom-ref": "operating-system",
    name: id,
    ...(versionId === undefined ? {} : { version: versionId }),
    ...(codename === undefined
      ? {}
      : { properties: [{ name: `${propertyPrefix}os:codename`, value: codename }] }),
  };
}

function componentOf(component: Component): CycloneDxComponent {
  const { id, kind, name, version, digest, downloadUrl, supplier, license, root } = component;
  return {
    type: kind === "spack" && root ? "application" : "library",
    "bom-ref": id,
    name,
    version,
    ...(supplier === undefined ? {} : { supplier: { name: supplier } }),
    // What the base has to provide is no part of what we deliver.
    scope: kind === "external" ? "excluded" : "required",
    ...hashes(digest),
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
    purl: component.purl,
    ...(downloadUrl === undefined
      ? {}
      : { externalReferences: [{ type: "distribution", url: downloadUrl }] }),
    properties: component.properties.map(([key, value]) => ({ name: `${propertyPrefix}${key}`, value })),
  };
}
