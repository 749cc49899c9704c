import { dockerHub, parseReference } from "../../registry/reference.ts";
import { SpacktainersError } from "../../util/errors.ts";

/** Squashfs files, by the ends of names that enroot and CSCS use. */
export const squashfsFile = /\.(?:sqsh|squashfs|sqfs)$/;

/** Whether a place of an image is a file or directory of the site, not a name in a registry. */
export function isPath(image: string): boolean {
  return /^[/.~$]/.test(image) || squashfsFile.test(image) || image.endsWith(".sif");
}

/**
 * A name in a registry as enroot writes it, without a transport: `HOST#PATH[:TAG]`; of Docker Hub, its default, the path alone.
 * A digest is for enroot of 2025 and later.
 *
 * @param reference `[docker://]HOST/PATH[:TAG][@DIGEST]`
 * @throws SpacktainersError REFERENCE_INVALID
 */
export function enrootReference(reference: string): string {
  const { host, path, tag, digest } = parseReference(reference.replace(/^docker:\/\//, ""));
  const version = digest === undefined ? `:${tag ?? "latest"}` : `@${digest}`;
  return `${host === dockerHub ? "" : `${host}#`}${path}${version}`;
}

/**
 * Where an image is, as pyxis and CSCS' Container Engine take it: a path begins with `/`, `.` or a variable.
 * @throws SpacktainersError NOT_SUPPORTED: not a squashfs file; of {@link enrootReference}
 */
export function enrootImage(image: string): string {
  if (!isPath(image)) return enrootReference(image);
  if (image.endsWith(".sif") || /^~/.test(image))
    throw new SpacktainersError("NOT_SUPPORTED", `enroot runs squashfs files, not ${image}`, {
      hint: "enroot import -o FILE.sqsh docker://HOST#PATH:TAG, or `spacktainers pull --with enroot`",
    });
  return /^[/.$]/.test(image) ? image : `./${image}`;
}
