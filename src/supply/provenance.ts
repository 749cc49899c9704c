/** Where an image came from: SLSA provenance, version 1 (slsa.dev/spec/v1.0/provenance). */
import { type Digest, hexOfDigest } from "../util/digest.ts";
import { componentsOf } from "./components.ts";
import type { BuiltImageFacts, ImageFacts } from "./imageFacts.ts";
import { predicateTypes, type Statement, statement } from "./statement.ts";

/** What kind of build it is, and so what the parameters mean: `docs/supply-chain.md`, "Provenance". */
export const provenanceBuildType = "https://spacktainers.dev/build-types/assemble/v1";

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
 * @returns undefined when nothing says who built the image: then nobody can vouch for it
 */
export function provenanceStatement(facts: BuiltImageFacts): Statement | undefined {
  const { builder, inputs, source, platform, name } = facts;
  if (builder === undefined) return undefined;
  const file = (digest: Digest | undefined) =>
    digest === undefined ? undefined : { sha256: hexOfDigest(digest) };
  const predicate = {
    buildDefinition: {
      buildType: provenanceBuildType,
      externalParameters: {
        container: name,
        version: facts.version,
        platform: [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/"),
        specs: facts.roots.map(({ request }) => request),
        definition: { path: source?.path, digest: file(inputs.definition) },
        configuration: { digest: file(inputs.configuration) },
        base: facts.base.name,
      },
      internalParameters: { inputs: inputs.all },
      resolvedDependencies: resources(facts),
    },
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

/** The source, the locks, the base, the packages. */
function resources(facts: ImageFacts): readonly Resource[] {
  const { source, inputs, base } = facts;
  const listed: Resource[] = [];
  if (source?.url !== undefined && source.revision !== undefined)
    listed.push({
      name: "source",
      uri: `git+${source.url}${source.ref === undefined ? "" : `@${source.ref}`}`,
      digest: { gitCommit: source.revision },
    });
  for (const [name, digest] of [
    ["spack.yaml", inputs.definition],
    ["spack.lock", inputs.spackLock],
    ["spacktainers.lock", inputs.ownLock],
  ] as const)
    if (digest !== undefined) listed.push({ name, digest: { sha256: hexOfDigest(digest) } });
  if (base.digest !== undefined)
    listed.push({ name: base.name, digest: { sha256: hexOfDigest(base.digest) } });
  for (const { kind, name, version, purl, digest, downloadUrl, properties } of componentsOf(facts)) {
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
      uri: purl,
      digest: { sha256: hexOfDigest(digest) },
      ...(downloadUrl === undefined ? {} : { downloadLocation: downloadUrl }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    });
  }
  return listed;
}
