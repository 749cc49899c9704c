/** The facts of an image that was put on another base: what the image tells, and what is recorded beside it. */
import { osReleaseOf } from "../../base/osRelease.ts";
import type { Base } from "../../base/types.ts";
import { formatTime } from "../../image/created.ts";
import type { OciImage } from "../../image/image.ts";
import { platformOf } from "../../image/platform.ts";
import { describeBuilder } from "../../pipeline/assemble/describeBuilder.ts";
import { describeBuilt } from "../../pipeline/assemble/describeBuilt.ts";
import type { BuiltImageDescription, SourceDescription } from "../../supply/imageDescription.ts";
import { runtimeGraph } from "../../supply/runtimeGraph.ts";
import { type Digest, digestOf } from "../../util/digest.ts";
import { toolVersion } from "../../util/toolVersion.ts";
import type { ImageParts } from "./imageParts.ts";

/** What an image became. */
export interface RebasedParts {
  readonly image: OciImage;
  readonly base: Base;
  /** For people. */
  readonly baseName: string;
  /** Of the base's manifest, when it is an image. */
  readonly baseDigest: Digest | undefined;
  /** Digest of everything that decided it. */
  readonly inputs: string;
  /** Seconds since 1970. */
  readonly created: number;
}

/**
 * The description of a rebased image. What is known of its packages is what was known of the image before, and nothing else: of one
 * without a record, archives and licences are not known.
 *
 * @throws {SpacktainersError} of reading the record
 */
export async function describeRebased(
  before: ImageParts,
  parts: RebasedParts,
): Promise<BuiltImageDescription> {
  const { names, packages, externals, graph } = before;
  const { base } = parts;
  const recorded = await before.records.recorded();
  const specs = packages.map(({ spec }) => spec);
  const planned = {
    name: names.name,
    version: names.version,
    platform: platformOf(names.arch),
    manifest: undefined,
    created: formatTime(parts.created),
    layers: [],
    roots: before.requests,
    graph: runtimeGraph(graph, [...specs, ...externals]),
    packages: packages.map(({ spec, prefix }) => ({
      spec,
      prefix,
      archive: recorded.get(spec.hash)?.archive,
      license: recorded.get(spec.hash)?.license,
    })),
    externals,
    base: {
      name: parts.baseName,
      digest: parts.baseDigest,
      distribution: osReleaseOf(base.inventory),
      packages: base.packages,
    },
    inputs: {
      all: undefined,
      definition: digestOf(before.manifestText),
      spackLock: digestOf(before.lockText),
      ownLock: undefined,
      configuration: undefined,
    },
    source: sourceOf(before),
    rebasedFrom: {
      digest: before.image.manifest.descriptor.digest,
      repository: before.records.repository,
    },
    builder: describeBuilder(),
    toolVersion: toolVersion(),
  };
  return describeBuilt(planned, parts.image, base, parts.inputs);
}

/** What the image says of where its definition was kept. */
function sourceOf({ labels, annotations }: ImageParts): SourceDescription | undefined {
  const url = labels["org.opencontainers.image.source"];
  const lastChange = annotations["org.opencontainers.image.revision"];
  if (url === undefined && lastChange === undefined) return undefined;
  return { url, revision: undefined, lastChange, ref: undefined, path: undefined };
}
