import { readOciLayout } from "../archive/oci/readOciLayout.ts";
import type { BaseArchitecture, BaseSpec } from "./types.ts";

/**
 * How many layers a base has, without building it.
 *
 * @throws {SpacktainersError} NOT_FOUND, ARCHIVE_INVALID, USAGE (several images fit) of a base that is a layout
 */
export async function baseLayerCount(spec: BaseSpec, architecture: BaseArchitecture): Promise<number> {
  switch (spec.kind) {
    case "scratch":
      return 0;
    case "debian":
    case "rootfs":
      return 1;
    case "oci": {
      const image = await readOciLayout(spec.path, {
        platform: { os: "linux", architecture },
        verifyLayers: false,
        ...(spec.reference === undefined ? {} : { reference: spec.reference }),
      });
      return image.layers.length;
    }
  }
}
