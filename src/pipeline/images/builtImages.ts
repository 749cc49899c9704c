/** Images in the output folder, as far as their manifests tell: what `list`, `build` and `plan` look at. */
import { join } from "node:path";
import type { ImageManifest } from "../../archive/oci/types.ts";
import { architectures } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { inputsAnnotation, layerKeysAnnotation, layerPackagesAnnotation } from "../../image/annotations.ts";
import { type OciImage, storedSize } from "../../image/image.ts";
import { openLayout } from "../../image/openLayout.ts";
import { platformOf } from "../../image/platform.ts";

/** Where a container's image is put when nothing else is asked for: an OCI layout. */
export function defaultOutput(outputFolder: string, container: Pick<Container, "name" | "arch">): string {
  return join(outputFolder, container.arch, container.name);
}

/** The image of an OCI layout, for whichever architecture; undefined when there is none that can be read. */
export async function builtImage(path: string): Promise<OciImage | undefined> {
  return openLayout(path, { platforms: architectures.map(platformOf), reference: undefined }).catch(
    // Not there, not whole, several: for us there is no image.
    () => undefined,
  );
}

/** What a manifest tells of an image. */
export interface ImageSummary {
  readonly digest: string;
  /** Bytes of all blobs the manifest names. */
  readonly size: number;
  readonly layers: number;
  readonly version: string | undefined;
  /** Digest of everything that decided its bytes (see `inputsAnnotation`). */
  readonly inputs: string | undefined;
}

/** What an image's manifest tells. Nothing is read. */
export function summaryOf({ manifest: { value, descriptor } }: OciImage): ImageSummary {
  return {
    digest: descriptor.digest,
    size: storedSize(value),
    layers: value.layers.length,
    version: value.annotations?.["org.opencontainers.image.version"],
    inputs: value.annotations?.[inputsAnnotation],
  };
}

/** A layer of packages in a built image. */
export interface PackagesInLayer {
  /** Keys of its fragments, in order. */
  readonly keys: readonly string[];
  /** In the same order. */
  readonly packages: readonly { readonly name: string; readonly version: string; readonly hash: string }[];
}

/** The layers of packages that a manifest names. */
export function layersOfPackages({ layers }: ImageManifest): readonly PackagesInLayer[] {
  return layers.flatMap(({ annotations }) => {
    const keys = annotations?.[layerKeysAnnotation]?.split(" ") ?? [];
    const packages = (annotations?.[layerPackagesAnnotation]?.split(" ") ?? []).flatMap((one) => {
      const parts = /^([^@]+)@(.+)\/([^/]+)$/.exec(one);
      const [, name, version, hash] = parts ?? [];
      return name === undefined || version === undefined || hash === undefined
        ? []
        : [{ name, version, hash }];
    });
    return keys.length === 0 || keys.length !== packages.length ? [] : [{ keys, packages }];
  });
}
