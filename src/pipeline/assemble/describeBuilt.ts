/** The facts of an image, from what a build knows. */

import { osReleaseOf } from "../../base/osRelease.ts";
import type { Base } from "../../base/types.ts";
import { layerPackagesAnnotation } from "../../image/annotations.ts";
import { formatTime } from "../../image/created.ts";
import type { OciImage } from "../../image/image.ts";
import { platformOf } from "../../image/platform.ts";
import { rememberedSpack } from "../../spack/solveRecords.ts";
import { type DagHash, parseDagHash } from "../../spec/concrete.ts";
import type {
  BuiltImageDescription,
  ImageDescription,
  LayerDescription,
} from "../../supply/imageDescription.ts";
import { runtimeGraph } from "../../supply/runtimeGraph.ts";
import { type Digest, digestOf, parseDigest } from "../../util/digest.ts";
import type { EmitEvent } from "../../util/events.ts";
import { readBounded } from "../../util/readBounded.ts";
import { redactUrl } from "../../util/redact.ts";
import { toolVersion } from "../../util/toolVersion.ts";
import { nameOfBase } from "../base/baseSpec.ts";
import { lockPaths } from "../choose/spacktainersLock.ts";
import { isLocal } from "../plan/describeSource.ts";
import type { ContainerPlan } from "../plan/planContainer.ts";
import { describeBuilder } from "./describeBuilder.ts";
import { licenseLookup } from "./licenseLookup.ts";

/** Configurations and locks are small; spacktainers wrote nothing larger. */
const largestInput = 64 << 20;

/** The description of an image that is not made yet, but for its layers. */
export async function describePlanned(
  plan: ContainerPlan,
  base: Base,
  emit: EmitEvent,
): Promise<ImageDescription> {
  const { container, configuration, loaded, locks, resolved, prefixes, source } = plan;
  const licenseOf = await licenseLookup(configuration, resolved.graph, emit);
  const specs = resolved.packages.map(({ spec }) => spec);
  const ownLock = locks.inUse ? await fileDigest(lockPaths(container).spacktainers) : undefined;
  return {
    name: container.name,
    version: resolved.version,
    platform: platformOf(container.arch),
    manifest: undefined,
    created: formatTime(plan.created),
    layers: [],
    roots: resolved.resolution.roots.map(({ request, hash }) => ({ request, hash })),
    graph: runtimeGraph(resolved.graph, [...specs, ...resolved.externals]),
    packages: resolved.packages.map((cached) => ({
      spec: cached.spec,
      prefix: prefixes.get(cached.spec.hash),
      archive: {
        digest: cached.digest,
        size: cached.size,
        url: publicUrl(cached.archiveUrl),
        signedBy: cached.signedBy,
      },
      license: licenseOf(cached.spec),
    })),
    externals: resolved.externals,
    base: {
      name: nameOfBase(configuration.base, base),
      digest: plan.baseDigest,
      distribution: osReleaseOf(base.inventory),
      packages: base.packages,
    },
    inputs: {
      all: undefined,
      definition: digestOf(loaded.manifestText),
      spackLock: digestOf(resolved.lockText),
      ownLock,
      configuration: configuration.file === undefined ? undefined : await fileDigest(configuration.file),
    },
    source,
    builder: describeBuilder(),
    spack: await rememberedSpack(resolved.lockText),
    toolVersion: toolVersion(),
  };
}

/**
 * The description of an image that was just made.
 *
 * @param inputs digest of everything that decided it
 */
export async function describeBuilt(
  planned: ImageDescription,
  image: OciImage,
  base: Base,
  inputs: string,
): Promise<BuiltImageDescription> {
  const { descriptor, value } = image.manifest;
  const layers = await image.layers();
  return {
    ...planned,
    manifest: {
      digest: descriptor.digest,
      size: descriptor.size,
      mediaType: descriptor.mediaType,
      config: value.config.digest,
    },
    layers: layers.map((layer, index): LayerDescription => {
      const { digest, diffId, size, mediaType } = layer;
      const packages = packagesIn(layer.annotations?.[layerPackagesAnnotation]);
      const role = index < base.layers.length ? "base" : packages.length > 0 ? "packages" : "top";
      return { digest, diffId, size, mediaType, role, packages };
    }),
    inputs: { ...planned.inputs, all: parseDigest(inputs) },
  };
}

/** Hashes of the packages that an annotation of a layer names. */
export function packagesIn(annotation: string | undefined): readonly DagHash[] {
  return (annotation ?? "").split(" ").flatMap((text) => parseDagHash(text.split("/")[1] ?? "") ?? []);
}

/** An address fit for publishing: of a server that others can reach, without credentials; else undefined. */
export function publicUrl(address: string): string | undefined {
  const text = redactUrl(address);
  if (!/^(?:https?|s3|oci):\/\//.test(text) || !URL.canParse(text)) return undefined;
  return isLocal(new URL(text).hostname) ? undefined : text;
}

async function fileDigest(path: string): Promise<Digest | undefined> {
  const bytes = await readBounded(path, largestInput).catch(() => undefined);
  return bytes === undefined ? undefined : digestOf(bytes);
}
