/** Bringing packages that were built from this machine's build cache to the one that others read. */
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { blobPath, fixedPaths, manifestPath } from "../../buildcache/formats/v3/paths.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { writeAtomically, writeFileAtomically } from "../../util/atomicFile.ts";
import { digestOfHex } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import type { Publish } from "./builder.ts";

/**
 * Publishes into the caches that the configuration says `push: true` of; undefined when there is none that can be written to.
 * Packages for others stay on this machine, with a warning.
 */
export function publisher(
  { caches }: Pick<Configuration, "caches">,
  { emit }: { readonly emit: EmitEvent },
): Publish | undefined {
  const wanted = caches.filter(({ push }) => push);
  const folders: string[] = [];
  for (const { url, unsigned, place } of wanted) {
    const folder = url.startsWith("file:") ? decodeURI(new URL(url).pathname) : url;
    if (unsigned && folder.startsWith("/")) folders.push(folder);
    else
      emit({
        type: "warning",
        code: "NOT_SUPPORTED",
        message: `what is built is not pushed to ${url}: so far only unsigned caches in folders can be`,
        place,
        hint: "it stays in this machine's build cache, from which images are made",
      });
  }
  if (folders.length === 0) return undefined;
  return async (spec, cache) => {
    for (const folder of folders) await copyPackage(cache, folder, manifestPath(spec));
  };
}

/** Copies a package of layout v3: what its manifest names first, then the manifest. */
async function copyPackage(from: string, to: string, manifest: string): Promise<void> {
  const text = await readFile(join(from, manifest), "utf8").catch((cause: unknown) => {
    throw new SpacktainersError("NOT_FOUND", "the package is not in this machine's build cache", {
      place: { file: join(from, manifest) },
      cause,
    });
  });
  const { data } = JSON.parse(text) as { data: readonly { checksum: string }[] };
  for (const { checksum } of data) {
    const blob = blobPath(digestOfHex(checksum));
    await mkdir(dirname(join(to, blob)), { recursive: true });
    await writeAtomically(join(to, blob), (unfinished) => copyFile(join(from, blob), unfinished));
  }
  await writeFileAtomically(join(to, fixedPaths.layout), await readFile(join(from, fixedPaths.layout)));
  await writeFileAtomically(join(to, manifest), text);
}
