/** Where an image came from: SLSA provenance, version 1 (slsa.dev/spec/v1.0/provenance). */
import { type Digest, hexOfDigest } from "../util/digest.ts";
import { type Component, componentsOf } from "./components.ts";
import type {
  BuiltImageDescription,
  ImageDescription,
  RebasedImage,
  SpackDescription,
} from "./imageDescription.ts";
import { purl } from "./purl.ts";
import { type InTotoStatement, predicateTypes, statement } from "./statement.ts";

/** What kind of build it is, and so what the parameters mean: `docs/supply-chain.md`, "Provenance". */
export const provenanceBuildType = "https://spacktainers.dev/build-types/assemble/v1";

/** The same of an image whose packages were put on another base. */
export const rebaseBuildType = "https://spacktainers.dev/build-types/rebase/v1";

/** Builder of images that were made on somebody's machine. */
export const localBuilder = "https://spacktainers.dev/builders/local";

/** Something that went into the image (in-toto, "ResourceDescriptor"). */
interface Resource {
  readonly name: string;
  readonly uri?: string;
  readonly digest?: { readonly sha256: string } | { readonly gitCommit: string };
  readonly downloadLocation?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * The statement on how an image was made: what was asked for, and everything that was used, by digest. The same facts give
 * the same statement: it has no times, which would say nothing that can be checked.
 *
 * Of a rebased image it is the rebasing: from that image and this base. The origin of the packages is in the provenance
 * of that image, which its builder vouches for.
 *
 * @returns undefined when nothing says who built the image: then nobody can vouch for it
 */
export function provenanceStatement(facts: BuiltImageDescription): InTotoStatement | undefined {
  const { builder, name } = facts;
  if (builder === undefined) return undefined;
  const predicate = {
    buildDefinition: facts.rebasedFrom === undefined ? assembling(facts) : rebasing(facts, facts.rebasedFrom),
    runDetails: {
      builder: {
        id: builder.id,
        ...(facts.toolVersion === undefined ? {} : { version: { spacktainers: facts.toolVersion } }),
      },
      metadata: { invocationId: builder.invocation },
    },
  };
  // Keys without a value are no JSON.
  return statement(
    facts.manifest.digest,
    name,
    predicateTypes.provenance,
    JSON.parse(JSON.stringify(predicate)),
  );
}

function assembling(facts: BuiltImageDescription): object {
  const { inputs, source } = facts;
  const file = (digest: Digest | undefined) =>
    digest === undefined ? undefined : { sha256: hexOfDigest(digest) };
  return {
    buildType: provenanceBuildType,
    externalParameters: {
      container: facts.name,
      version: facts.version,
      platform: platformText(facts),
      specs: facts.roots.map(({ request }) => request),
      definition: { path: source?.path, digest: file(inputs.definition) },
      configuration: { digest: file(inputs.configuration) },
      base: facts.base.name,
    },
    internalParameters: { inputs: inputs.all },
    resolvedDependencies: resources(facts),
  };
}

function rebasing(facts: BuiltImageDescription, from: RebasedImage): object {
  const image = rebasedImage(facts, from);
  const { base, layers } = facts;
  // A base that is no image has no digest of its own: its layers have.
  const underneath =
    base.digest === undefined
      ? layers.flatMap(({ role, digest }) => (role === "base" ? digest : []))
      : [base.digest];
  return {
    buildType: rebaseBuildType,
    externalParameters: {
      container: facts.name,
      version: facts.version,
      platform: platformText(facts),
      image: image.uri,
      base: base.name,
    },
    internalParameters: { inputs: facts.inputs.all },
    resolvedDependencies: [
      image,
      ...underneath.map((digest): Resource => ({ name: base.name, digest: { sha256: hexOfDigest(digest) } })),
      ...componentResources(componentsOf(facts).filter(({ kind }) => kind === "os")),
    ],
  };
}

function rebasedImage({ name, platform }: ImageDescription, { digest, repository }: RebasedImage): Resource {
  const uri = purl({
    type: "oci",
    name: (repository?.slice(repository.lastIndexOf("/") + 1) ?? name).toLowerCase(),
    version: digest,
    qualifiers: { arch: platform.architecture, repository_url: repository?.toLowerCase() },
  });
  return { name: "image", uri, digest: { sha256: hexOfDigest(digest) } };
}

function platformText({ platform }: ImageDescription): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}

/** The source, the locks, the base, the packages. */
function resources(facts: ImageDescription): readonly Resource[] {
  const { source, inputs, base } = facts;
  const listed: Resource[] = [];
  if (source?.url !== undefined && source.revision !== undefined)
    listed.push({
      name: "source",
      uri: `git+${source.url}${source.ref === undefined ? "" : `@${source.ref}`}`,
      digest: { gitCommit: source.revision },
    });
  listed.push(...spackResources(facts));
  for (const [name, digest] of [
    ["spack.yaml", inputs.definition],
    ["spack.lock", inputs.spackLock],
    ["spacktainers.lock", inputs.ownLock],
  ] as const)
    if (digest !== undefined) listed.push({ name, digest: { sha256: hexOfDigest(digest) } });
  if (base.digest !== undefined)
    listed.push({ name: base.name, digest: { sha256: hexOfDigest(base.digest) } });
  return [...listed, ...componentResources(componentsOf(facts))];
}

/** The Spack and the recipes that packages were chosen and built with, by commit, and the image that they were built in. */
function spackResources({ spack }: ImageDescription): readonly Resource[] {
  if (spack === undefined) return [];
  const resource = (
    name: string,
    url: string | undefined,
    commit: string | undefined,
  ): readonly Resource[] =>
    commit === undefined
      ? []
      : [{ name, ...(url === undefined ? {} : { uri: `git+${url}` }), digest: { gitCommit: commit } }];
  return [
    ...resource(`spack@${spack.version}`, spack.url, spack.commit),
    ...spack.repositories.flatMap(({ namespace, url, commit }) =>
      resource(`recipes ${namespace}`, url, commit),
    ),
    ...builderResource(spack.builder),
  ];
}

/** The image that packages were compiled in. */
function builderResource(builder: SpackDescription["builder"]): readonly Resource[] {
  if (builder?.digest === undefined) return [];
  const name = builder.image === undefined ? "builder image" : `builder image ${builder.image}`;
  return [{ name, digest: { sha256: hexOfDigest(builder.digest) } }];
}

/** What was downloaded, by digest. */
function componentResources(components: readonly Component[]): readonly Resource[] {
  const listed: Resource[] = [];
  for (const { kind, name, version, purl: uri, digest, downloadUrl, properties } of components) {
    // Without a digest it is only a name.
    if (kind === "external" || digest === undefined) continue;
    const known = new Map(properties);
    const annotations = Object.fromEntries(
      ["spack:hash", "spack:signed-by"].flatMap((key) => {
        const value = known.get(key);
        return value === undefined ? [] : [[key, value] as const];
      }),
    );
    listed.push({
      name: `${name}@${version}`,
      uri,
      digest: { sha256: hexOfDigest(digest) },
      ...(downloadUrl === undefined ? {} : { downloadLocation: downloadUrl }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    });
  }
  return listed;
}
