/** The prefix a package was built for, read off the first bytes of its archive. */
import { constants, gunzipSync } from "node:zlib";
import { readTar } from "../archive/readTar.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** Bytes of an archive that are enough to see its prefix: directory entries compress well. */
export const headBytes = 32 * 1024;

/**
 * The absolute build-time prefix. Archives begin with an entry for each directory down to the prefix; what follows is the
 * prefix's own content, files first. (Formats reference, 1.4.)
 *
 * @param head the first bytes of the archive (gzip); {@link headBytes} are enough
 * @param hash the package's DAG hash: by Spack's default naming it is in the last component
 * @returns undefined when the beginning does not say: layout 1 begins at the last component
 */
export async function archivePrefix(
  head: Uint8Array,
  hash: string,
  place: Place,
): Promise<string | undefined> {
  const tar = inflateBeginning(head, place);
  const chain: string[] = [];
  let first: string | undefined;
  try {
    for await (const entry of readTar(once(tar), { where: place, end: "optional" })) {
      if (entry.type !== "directory") {
        first = entry.path;
        break;
      }
      const parent = chain.at(-1);
      if (parent !== undefined && !entry.path.startsWith(`${parent}/`)) break;
      chain.push(entry.path);
    }
  } catch (thrown) {
    // The beginning of an archive ends somewhere; what was read before is good.
    if (!(thrown instanceof SpacktainersError) || thrown.code !== "ARCHIVE_INVALID" || chain.length === 0)
      throw thrown;
  }
  const root = chain[0];
  if (root === undefined || root.includes("/") || root.includes(hash)) return undefined;
  const named = chain.findLast((directory) =>
    directory.slice(directory.lastIndexOf("/") + 1).includes(hash.slice(0, 7)),
  );
  if (named !== undefined) return `/${named}`;
  // A projection without the hash: the first file lies in the prefix itself, or in its folder of metadata.
  const inside = first?.slice(0, first.lastIndexOf("/"));
  const deepest = chain.findLast((directory) => inside === undefined || inside === directory) ?? chain.at(-1);
  const metadata = chain.findLast((directory) => directory.endsWith("/.spack"));
  const within = metadata === undefined ? undefined : (first ?? deepest)?.slice(metadata.length + 1);
  const prefix =
    metadata !== undefined && (deepest === metadata || (within !== undefined && metadataFile.test(within)))
      ? metadata.slice(0, -"/.spack".length)
      : deepest;
  return prefix === undefined ? undefined : `/${prefix}`;
}

/** What Spack puts into a package's `.spack` (which also names folders of users). */
const metadataFile = /^(archived-files|repos|install_|spack-|spec\.|errors\.|binary_distribution)/;

function inflateBeginning(head: Uint8Array, place: Place): Uint8Array {
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 64 * 2 ** 20 });
  } catch (cause) {
    throw new SpacktainersError("ARCHIVE_INVALID", "the archive is not gzip-compressed", { place, cause });
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
