import { parseImageManifest } from "../../archive/oci/parse.ts";
import type { Platform } from "../../archive/oci/types.ts";
import { baseCacheDirectory, openBaseStore } from "../../base/baseStore.ts";
import type { RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Image } from "../../image/image.ts";
import { fetchBlob, type LayerStore } from "../../image/layerStore.ts";
import { openRegistryImage } from "../../image/openRegistryImage.ts";
import { getManifest } from "../../registry/manifests.ts";
import { openRegistries } from "../../registry/openRegistries.ts";
import {
  formatReference,
  formatRepository,
  manifestReference,
  parseReference,
} from "../../registry/reference.ts";
import type { ImageRepository } from "../../registry/registry.ts";
import { openLocalImage } from "../../sif/openLocalImage.ts";
import { sifMediaType } from "../../sif/sifFormat.ts";
import { counted } from "../../util/counted.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";

/** An image in a registry, in the words of a definition file or a command line. */
export interface ImageReference {
  /** `docker`: a container image. `oras`: a SIF file that was pushed as an artifact. */
  readonly transport: "docker" | "oras";
  /** `name[:tag][@digest]`, with or without a registry in front. */
  readonly name: string;
  /** In order of preference. */
  readonly platforms: readonly Platform[];
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** Opens an image of a registry, whose `origin` names it by its digest. */
export type OpenReference = (reference: ImageReference) => Promise<Image>;

/** Limits of {@link referenceOpener}. */
export interface ReferenceOptions {
  /** Milliseconds that a registry may take to say what it has before it counts as out of reach; default: no limit. */
  readonly patience?: number | undefined;
}

/**
 * Makes what opens images of registries. Layers are downloaded once, when they are first read, to where bases keep theirs;
 * documents and blobs are verified from the name down.
 *
 * @param configured registries of the configuration, for their credentials
 * @returns throws REFERENCE_INVALID, NOT_FOUND, NOT_SUPPORTED, ARCHIVE_INVALID, CHECKSUM_MISMATCH, ACCESS_DENIED, NETWORK
 */
export function referenceOpener(
  configured: readonly RegistryConfiguration[],
  { patience }: ReferenceOptions = {},
): OpenReference {
  return async ({ transport, name: text, platforms, emit, signal }) => {
    const name = parseReference(text);
    const shown = formatReference({
      ...name,
      tag: name.digest === undefined ? name.tag : undefined,
      digest: undefined,
    });
    const limit = new AbortController();
    const timer = patience === undefined ? undefined : setTimeout(() => limit.abort(), patience);
    const ended = AbortSignal.any([signal, limit.signal]);
    const registries = openRegistries({ configured, readOnly: true, emit, signal: ended });
    try {
      const repository = registries.repository(name);
      const wanted = manifestReference(name);
      const store = openBaseStore(baseCacheDirectory());
      const image =
        transport === "oras"
          ? await openArtifact(repository, wanted, { shown, platforms, store })
          : await openRegistryImage(repository, wanted, { platforms, store, shown });
      // What it was found for is compared with what it is, before it counts as found.
      await image.config();
      return {
        ...image,
        async close() {
          await image.close();
          await registries.close();
        },
      };
    } catch (cause) {
      await registries.close();
      if (!limit.signal.aborted || signal.aborted) throw cause;
      throw new SpacktainersError(
        "NETWORK",
        `the registry did not answer within ${counted((patience ?? 0) / 1000, "second")}`,
        { place: { url: `${transport}://${shown}` }, cause },
      );
    } finally {
      clearTimeout(timer);
    }
  };
}

/** A SIF file that was pushed as an artifact. */
async function openArtifact(
  repository: ImageRepository,
  reference: Parameters<typeof getManifest>[1],
  {
    shown,
    platforms,
    store,
  }: { readonly shown: string; readonly platforms: readonly Platform[]; readonly store: LayerStore },
): Promise<Image> {
  const place = { url: `oras://${shown}` };
  const found = await getManifest(repository, reference);
  if (found === undefined)
    throw new SpacktainersError("NOT_FOUND", "the registry has no such artifact", { place });
  const manifest = parseImageManifest(found.bytes, place);
  const [layer, other] = manifest.layers;
  if (layer === undefined || other !== undefined || layer.mediaType !== sifMediaType)
    throw new SpacktainersError("NOT_SUPPORTED", "the artifact is not one SIF file", {
      place,
      hint: "a container image is docker://, not oras://",
    });
  const image = await openLocalImage(
    await fetchBlob(repository, layer, store, `layer of ${shown}`),
    platforms,
  );
  return {
    ...image,
    place,
    origin: { bootstrap: "oras", from: `${shown}@${found.digest}` },
    reference: `oras://${formatRepository(repository)}@${found.digest}`,
  };
}
