/** What an image says of itself: labels of its configuration, and annotations of its manifest. */
import type { Annotations } from "../../archive/oci/types.ts";
import type { ImageMetadata } from "../../definitions/configuration.ts";
import { formatTime } from "../../image/created.ts";
import { compilerOf } from "../../spec/compilerOf.ts";
import { dialectOf } from "../../spec/format.ts";
import type { SourceDescription } from "../../supply/imageDescription.ts";
import type { Digest } from "../../util/digest.ts";
import type { ResolvedPackages } from "../choose/resolvePackages.ts";
import type { OutputNames } from "../workspace/outputs.ts";

/** What labels are made of. */
export interface LabelInput {
  readonly names: OutputNames;
  /** `image:` of the configuration. */
  readonly metadata: ImageMetadata;
  readonly resolved: Pick<ResolvedPackages, "resolution" | "graph" | "packages">;
  readonly base: { readonly name: string; readonly digest: Digest | undefined };
  readonly source: SourceDescription | undefined;
  /** Seconds since 1970. */
  readonly created: number;
}

const oci = "org.opencontainers.image.";
const own = "dev.spacktainers.";

/**
 * The labels of an image (OCI image specification, "Pre-Defined Annotation Keys", and those of spacktainers); also annotations of its
 * manifest. They decide the image's digest: nothing is in them that changes while the image does not.
 */
export function imageLabels(facts: LabelInput): Annotations {
  const { names, metadata, resolved, base, source, created } = facts;
  const { roots } = resolved.resolution;
  const specs = roots.flatMap(({ hash }) => resolved.graph.get(hash) ?? []);
  const inside = resolved.packages.map(({ spec }) => spec);
  const compilers = inside.flatMap((spec) => {
    const compiler = compilerOf(spec, resolved.graph);
    return compiler === undefined ? [] : [`${compiler.name}@${compiler.version}`];
  });
  const generations = inside.map(({ specfileVersion }) => dialectOf(specfileVersion));
  const filled = (text: string | undefined): string | undefined =>
    text?.replaceAll("{name}", names.name).replaceAll("{version}", names.version);
  const labels: Record<string, string | undefined> = {
    ...Object.fromEntries([...metadata.labels].map(([key, text]) => [key, filled(text)])),
    [`${oci}title`]: names.name,
    [`${oci}version`]: names.version,
    [`${oci}created`]: formatTime(created),
    [`${oci}base.name`]: base.name,
    [`${oci}base.digest`]: base.digest,
    [`${oci}source`]: filled(metadata.source) ?? source?.url,
    [`${oci}description`]: filled(metadata.description),
    [`${oci}url`]: filled(metadata.url),
    [`${oci}documentation`]: filled(metadata.documentation),
    [`${oci}vendor`]: filled(metadata.vendor),
    [`${oci}authors`]: filled(metadata.authors),
    [`${oci}licenses`]: metadata.licenses,
    [`${own}specs`]: roots.map(({ request }) => request).join(", "),
    [`${own}roots`]: specs.map(({ name, version, hash }) => `${name}@${version}/${hash}`).join(" "),
    [`${own}target`]: listed(inside.map(({ target }) => target)),
    [`${own}compiler`]: listed(compilers),
    [`${own}spack`]: listed(generations),
  };
  return Object.fromEntries(
    Object.entries(labels).flatMap(([key, text]) => (text === undefined || text === "" ? [] : [[key, text]])),
  );
}

/**
 * Annotations of the manifest alone. The commit is here, and not among the labels: it says where the image was made from,
 * it does not decide what is in it. It is the last commit that changed the container's own files, where history reaches
 * that far, so that the commits of a busy repository do not give the same image ever new digests.
 */
export function manifestAnnotations(source: SourceDescription | undefined): Annotations {
  const revision = source?.lastChange ?? source?.revision;
  return revision === undefined ? {} : { [`${oci}revision`]: revision };
}

/**
 * Labels of a base image that stay true of an image on top of it: all but those that describe the base itself.
 */
export function inheritedLabels(base: Annotations | undefined): Annotations {
  return Object.fromEntries(
    Object.entries(base ?? {}).filter(
      ([key]) => !key.startsWith("org.opencontainers.image.") && !key.startsWith("org.label-schema."),
    ),
  );
}

/** Each value once, sorted, separated by blanks. */
function listed(values: readonly string[]): string {
  return [...new Set(values)].sort().join(" ");
}
