/** The components of an image as every bill of materials lists them, whatever its format. */
import type { BasePackage } from "../base/types.ts";
import { compilerOf } from "../spec/compilerOf.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { type Digest, hexOfDigest } from "../util/digest.ts";
import {
  type BaseDescription,
  type ImageDescription,
  layerOf,
  type PackageDescription,
} from "./imageDescription.ts";
import { purl } from "./purl.ts";

/** A component: a package that is in the image, or one that it needs of the base. */
export interface Component {
  /** Unique in the image; of letters, digits, `.`, `-` and `+`. */
  readonly id: string;
  readonly kind: "spack" | "external" | "os";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** Of what was downloaded. */
  readonly digest: Digest | undefined;
  readonly downloadUrl: string | undefined;
  /** Who distributes it; undefined when nobody says. */
  readonly supplier: string | undefined;
  /** SPDX expression. */
  readonly license: string | undefined;
  /** True for what the user asked for. */
  readonly root: boolean;
  /** Facts by name, in a fixed order. */
  readonly properties: readonly (readonly [name: string, value: string])[];
  /** Ids of the components it needs at run time, sorted. */
  readonly needs: readonly string[];
}

/** Prefix of the names of our properties. */
export const propertyPrefix = "spacktainers:";

/** Spack packages (dependents first), external packages, OS packages (by name). */
export function componentsOf(facts: ImageDescription): readonly Component[] {
  const listed = new Map<DagHash, string>();
  for (const { spec } of facts.packages) listed.set(spec.hash, spackId(spec));
  for (const spec of facts.externals) listed.set(spec.hash, spackId(spec));
  const roots = new Set(facts.roots.map(({ hash }) => hash));
  const spack = (spec: ConcreteSpec, kind: "spack" | "external", known?: PackageDescription): Component => ({
    id: spackId(spec),
    kind,
    name: spec.name,
    version: spec.version,
    purl: spackPurl(spec, known?.archive?.digest),
    digest: known?.archive?.digest,
    downloadUrl: known?.archive?.url,
    supplier: undefined,
    license: known?.license,
    root: roots.has(spec.hash),
    properties: spackProperties(facts, spec, known),
    needs: runtimeNeeds(spec, listed),
  });
  return [
    ...facts.packages.map((one) => spack(one.spec, "spack", one)),
    ...facts.externals.map((spec) => spack(spec, "external")),
    ...osComponents(facts),
  ];
}

/** Components of the OS packages, by name; several of one name by architecture. */
function osComponents({ base, layers }: ImageDescription): readonly Component[] {
  const baseLayers = layers.filter(({ role }) => role === "base");
  // With several base layers, nothing says which one has a package.
  const layer = baseLayers.length === 1 ? baseLayers[0]?.digest : undefined;
  return [...base.packages]
    .sort((a, b) => compare(a.name, b.name) || compare(a.architecture, b.architecture))
    .map((one) => ({
      id: `deb-${one.name}-${one.architecture}`,
      kind: "os",
      name: one.name,
      version: one.version,
      purl: debianPurl(one, base),
      digest: one.digest,
      downloadUrl: one.url,
      supplier: supplierOf(base),
      license: undefined,
      root: false,
      properties: definedPairs([
        ["deb:architecture", one.architecture],
        ["deb:source", one.source?.name ?? one.name],
        ["deb:source-version", one.source?.version ?? one.version],
        ["layer", layer],
      ]),
      needs: [],
    }));
}

function spackId(spec: ConcreteSpec): string {
  return `spack-${spec.name.replaceAll("_", "-")}-${spec.hash}`;
}

/**
 * The type `generic`: one for Spack is proposed (purl-spec, pull request 898) but not registered, and databases know
 * projects of no ecosystem by `generic`, name and version. The namespace and the hash are properties.
 */
function spackPurl(spec: ConcreteSpec, archive: Digest | undefined): string {
  return purl({
    type: "generic",
    name: spec.name,
    version: spec.version,
    qualifiers: { checksum: archive === undefined ? undefined : `sha256:${hexOfDigest(archive)}` },
  });
}

/** With the qualifiers by which scanners find advisories: the distribution, and the source package in `upstream`. */
function debianPurl(one: BasePackage, { distribution }: BaseDescription): string {
  const upstream =
    one.source === undefined
      ? undefined
      : one.source.version === one.version
        ? one.source.name
        : `${one.source.name}@${one.source.version}`;
  return purl({
    type: "deb",
    namespace: distribution?.id ?? "debian",
    name: one.name,
    version: one.version,
    qualifiers: {
      arch: one.architecture,
      distro:
        distribution === undefined
          ? undefined
          : [distribution.id, distribution.versionId].filter(Boolean).join("-"),
      upstream,
    },
  });
}

function supplierOf({ distribution }: BaseDescription): string | undefined {
  if (distribution?.id === "debian") return "Debian";
  if (distribution?.id === "ubuntu") return "Canonical";
  return undefined;
}

function spackProperties(
  facts: ImageDescription,
  spec: ConcreteSpec,
  known: PackageDescription | undefined,
): readonly (readonly [string, string])[] {
  const compiler = compilerOf(spec, facts.graph);
  const variants = [...spec.variants].sort(([a], [b]) => compare(a, b));
  const flags = [...spec.flags].sort(([a], [b]) => compare(a, b));
  const provides = new Set(spec.providedVirtuals);
  for (const { spec: parent } of facts.packages)
    for (const edge of parent.dependencies)
      if (edge.hash === spec.hash) for (const virtual of edge.virtuals) provides.add(virtual);
  return definedPairs([
    ["spack:hash", spec.hash],
    ["spack:namespace", spec.namespace],
    ["spack:platform", spec.platform],
    ["spack:os", spec.os],
    ["spack:target", spec.target],
    ["spack:compiler", compiler === undefined ? undefined : `${compiler.name}@${compiler.version}`],
    ...variants.map(([name, value]) => [`spack:variant:${name}`, variantText(value)] as const),
    ...flags.flatMap(([kind, list]) =>
      list.length === 0 ? [] : [[`spack:${kind}`, list.join(" ")] as const],
    ),
    ["spack:provides", [...provides].sort().join(" ") || undefined],
    ["spack:package-hash", spec.packageHash],
    [
      "spack:build-spec",
      spec.buildSpec === undefined ? undefined : `${spec.buildSpec.name}/${spec.buildSpec.hash}`,
    ],
    ["spack:external", spec.external === undefined ? undefined : (spec.external.path ?? "true")],
    ["spack:signed-by", known?.archive?.signedBy],
    ["prefix", known?.prefix],
    ["layer", layerOf(facts, spec.hash)?.digest],
  ]);
}

function variantText(value: boolean | string | readonly string[]): string {
  return typeof value === "object" ? value.join(",") : String(value);
}

/** What a package needs at run time among what is listed, by id. */
function runtimeNeeds(spec: ConcreteSpec, listed: ReadonlyMap<DagHash, string>): readonly string[] {
  const needs = spec.dependencies.flatMap(({ hash, types }) => {
    const id = types.has("link") || types.has("run") ? listed.get(hash) : undefined;
    return id === undefined ? [] : [id];
  });
  return [...new Set(needs)].sort();
}

function definedPairs(
  pairs: readonly (readonly [string, string | undefined])[],
): readonly (readonly [string, string])[] {
  return pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
