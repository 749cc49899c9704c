import { parseManifest } from "../../archive/oci/parse.ts";
import { readBlobFile } from "../../archive/oci/readOciLayout.ts";
import { baseCacheDirectory, openBaseStore } from "../../base/baseStore.ts";
import type { RegistryConfiguration } from "../../definitions/configuration.ts";
import type { OpenImage, SourceLayer } from "../../image/imageContents.ts";
import { type BlobId, downloadBlob } from "../../registry/blobs.ts";
import { getManifest } from "../../registry/manifests.ts";
import { openRegistries } from "../../registry/openRegistries.ts";
import { formatReference, manifestReference, parseReference } from "../../registry/reference.ts";
import type { Repository } from "../../registry/registry.ts";
import { resolveImage } from "../../registry/resolveImage.ts";
import { openLocalImage } from "../../sif/openLocalImage.ts";
import { sifMediaType } from "../../sif/sifFormat.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";

/** An image in a registry, in the words of a definition file or a command line. */
export interface ImageReference {
  /** `docker`: a container image. `oras`: a SIF file that was pushed as an artifact. */
  readonly transport: "docker" | "oras";
  /** `name[:tag][@digest]`, with or without a registry in front. */
  readonly name: string;
  /** The linux image to take of one for several architectures. */
  readonly architecture: string;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Opens an image of a registry: its configuration, and layers that can each be read twice.
 * @returns with an `origin` whose `from` names the image by its digest
 */
export type OpenReference = (reference: ImageReference) => Promise<OpenImage>;

/** Layers under way at a time. */
const layersAtOnce = 3;

/**
 * Makes what opens images of registries. Layers are downloaded once, to where bases keep theirs; documents and blobs are
 * verified from the name down.
 *
 * @param configured registries of the configuration, for their credentials
 * @returns throws REFERENCE_INVALID, NOT_FOUND, NOT_SUPPORTED, ARCHIVE_INVALID, CHECKSUM_MISMATCH, ACCESS_DENIED, NETWORK
 */
export function referenceOpener(configured: readonly RegistryConfiguration[]): OpenReference {
  return async (reference) => {
    const { transport, emit, signal } = reference;
    const registries = openRegistries({ configured, emit, signal });
    const name = parseReference(reference.name);
    const shown = formatReference({
      ...name,
      tag: name.digest === undefined ? name.tag : undefined,
      digest: undefined,
    });
    try {
      const repository = registries.repository(name);
      const wanted = manifestReference(name);
      if (transport === "oras") return await openArtifact(repository, wanted, shown, reference.architecture);
      const platform = { os: "linux", architecture: reference.architecture };
      const image = await resolveImage(repository, wanted, platform);
      const layers = await mapConcurrently(
        image.layers,
        layersAtOnce,
        async (layer): Promise<SourceLayer> => {
          const { digest, diffId, size } = layer;
          const path = await localBlob(repository, layer, shown);
          return { name: path, path, size, digest, diffId, open: () => readBlobFile({ path, size }) };
        },
      );
      return {
        config: image.config,
        configBytes: image.configBytes,
        layers,
        origin: { bootstrap: "docker", from: `${shown}@${image.manifestDigest}` },
        close: async () => {},
      };
    } finally {
      await registries.close();
    }
  };
}

/** A SIF file that was pushed as an artifact. */
async function openArtifact(
  repository: Repository,
  reference: Parameters<typeof getManifest>[1],
  shown: string,
  architecture: string,
): Promise<OpenImage> {
  const place = { url: `oras://${shown}` };
  const found = await getManifest(repository, reference);
  if (found === undefined)
    throw new SpacktainersError("NOT_FOUND", "the registry has no such artifact", { place });
  const manifest = parseManifest(found.bytes, place);
  const [layer, other] = manifest.layers;
  if (layer === undefined || other !== undefined || layer.mediaType !== sifMediaType)
    throw new SpacktainersError("NOT_SUPPORTED", "the artifact is not one SIF file", {
      place,
      hint: "a container image is docker://, not oras://",
    });
  const image = await openLocalImage(await localBlob(repository, layer, shown), architecture);
  return { ...image, origin: { bootstrap: "oras", from: `${shown}@${found.digest}` } };
}

/**
 * A blob as a file, downloaded when it is not here.
 *
 * @param shown what it is of, for people
 */
export async function localBlob(repository: Repository, blob: BlobId, shown: string): Promise<string> {
  const store = openBaseStore(baseCacheDirectory());
  const known = await store.layers.find(blob.digest);
  if (known !== undefined) return known;
  const temporary = await store.layers.temporary();
  await downloadBlob(repository, blob, temporary, {
    label: `layer of ${shown}`,
    partialDirectory: store.incoming,
  });
  return store.layers.adopt(temporary, blob.digest);
}
