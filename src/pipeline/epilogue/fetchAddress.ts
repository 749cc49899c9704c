import { stat } from "node:fs/promises";
import { join } from "node:path";
import { openHttp } from "../../net/http.ts";
import { openBlobStore } from "../../util/blobStore.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import type { Digest } from "../../util/digest.ts";
import type { EmitEvent } from "../../util/events.ts";

/**
 * What an ADD names, from an address; kept by its digest.
 *
 * @throws SpacktainersError CHECKSUM_MISMATCH; of the network
 */
export async function fetchAddress(
  url: string,
  digest: Digest,
  { emit, signal }: { readonly emit: EmitEvent; readonly signal: AbortSignal },
): Promise<{ readonly path: string; readonly size: number }> {
  const store = openBlobStore(join(cacheHome(), "downloads", "added"));
  const known = await store.find(digest);
  if (known !== undefined) return { path: known, size: (await stat(known)).size };
  const temporary = await store.temporary();
  const http = openHttp({ emit, signal });
  try {
    const { size } = await http.downloadFile(url, temporary, { expectedDigest: digest });
    return { path: await store.adopt(temporary, digest), size };
  } finally {
    await http.close();
  }
}
