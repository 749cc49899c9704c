/** One package archive in; one finished fragment file out. */
import { dirname } from "node:path";
import type { CompressOptions } from "../archive/compressStream.ts";
import { writeFragment } from "../archive/writeFragment.ts";
import { temporaryPath, writeAtomically } from "../util/atomicFile.ts";
import { asSpacktainersError, formatPlace, SpacktainersError } from "../util/errors.ts";
import { type InstallPackageOptions, installPackage } from "./installPackage.ts";
import type { InstallRequest, LayerFragment } from "./types.ts";

/**
 * Installs a package into a fragment file, which appears at `path` whole or not at all.
 *
 * @param path of the file to make, in a directory that may have to be made; an existing file is replaced
 * @param options besides those of {@link installPackage}: `writing`, how to compress (decides the bytes, except for `concurrency`)
 * @throws SpacktainersError what {@link installPackage} throws; DISK_FULL and other errors of writing
 */
export async function installFragment(
  request: InstallRequest,
  path: string,
  options: InstallPackageOptions & { readonly writing?: CompressOptions } = {},
): Promise<LayerFragment> {
  try {
    let fragment: LayerFragment | undefined;
    await writeAtomically(path, async (temporary) => {
      const installed = installPackage(request, {
        ...options,
        scratchFile: temporaryPath(dirname(temporary)),
      });
      const facts = await writeFragment(temporary, installed.entries, options.writing);
      fragment = { path, inventory: installed.inventory(), ...facts };
    });
    if (fragment === undefined) throw new Error("nothing was written");
    return fragment;
  } catch (error) {
    const place = { spec: `${request.name}@${request.version}/${request.hash.slice(0, 7)}` };
    if (!(error instanceof SpacktainersError) || formatPlace(error.place) !== "")
      throw asSpacktainersError(error, place);
    // What writing refuses does not know which package it writes.
    const { code, message, hint } = error;
    throw new SpacktainersError(code, message, {
      place,
      cause: error,
      hint,
    });
  }
}
