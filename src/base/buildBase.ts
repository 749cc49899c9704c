/** The one way to a base, whatever lies underneath. */
import { asSpacktainersError } from "../util/errors.ts";
import { keyOf, openBaseStore } from "./baseStore.ts";
import { stopIfAborted } from "./interruption.ts";
import type { Base, BaseSpec, BuildBaseOptions } from "./types.ts";

/**
 * Builds a base, or finds the one built before from the same inputs.
 *
 * @throws SpacktainersError BASE_INVALID, BASE_UNSATISFIABLE (the request), NOT_FOUND, NETWORK (what it is made from),
 *   SIGNATURE_*, KEY_*, INDEX_EXPIRED, IDENTITY_MISMATCH, CHECKSUM_MISMATCH (trust), ARCHIVE_*, LOCK_INVALID
 */
export async function buildBase(spec: BaseSpec, options: BuildBaseOptions): Promise<Base> {
  const store = openBaseStore(options.cacheDir);
  try {
    stopIfAborted(options.signal);
    switch (spec.kind) {
      case "scratch":
        return { layers: [], inventory: { entries: [] }, packages: [], key: keyOf(["scratch"]) };
      case "debian": {
        const { buildDebianBase } = await import("./debian/buildDebianBase.ts");
        return await buildDebianBase(spec, options, store);
      }
      case "rootfs": {
        const { buildRootfsBase } = await import("./rootfsBase.ts");
        return await buildRootfsBase(spec, options, store);
      }
      case "oci": {
        const { readOciBase } = await import("./ociBase.ts");
        return await readOciBase(spec, options, store);
      }
    }
  } catch (error) {
    throw asSpacktainersError(error);
  }
}
