/** The index of layout v3: a blob, and the manifest that names it. Who replaces the manifest must have read the one that is there. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../../../store/store.ts";
import { digestOfFile } from "../../../util/digestOfFile.ts";
import { SpacktainersError } from "../../../util/errors.ts";
import { type EditedIndex, editIndex } from "../../index/editIndex.ts";
import { untilAlone } from "../contended.ts";
import type { FormatEdit, WriterTools } from "../formatWriter.ts";
import { inScratch } from "../scratch.ts";
import { placeOf, writerOf } from "../storedFiles.ts";
import { type ManifestRecord, newestRecord, parseCacheManifest } from "./manifest.ts";
import { blobPath, v3FixedPaths } from "./paths.ts";
import { announceLayout, manifestText, putBlob } from "./writeManifest.ts";

/** Version of the database that is written: that of Spack 1.0 to 1.2. */
const databaseVersion = 8;
const mediaType = `application/vnd.spack.db.v${databaseVersion}+json`;
const maxManifestBytes = 2 ** 20;

/**
 * Changes the index.
 *
 * @param edit what is to be different; undefined: it is made from `all`
 * @param all everything that the cache has, for an index that is not there
 */
export async function changeV3Index(
  store: Store,
  tools: Pick<WriterTools, "scratch" | "clock" | "signal">,
  edit: FormatEdit | undefined,
  all: () => Promise<FormatEdit["add"]>,
): Promise<EditedIndex> {
  const place = placeOf(store, v3FixedPaths.indexManifest);
  const attempt = async (folder: string): Promise<EditedIndex | undefined> => {
    const { status, bytes, version } = await store.get(v3FixedPaths.indexManifest, {
      maxBytes: maxManifestBytes,
    });
    if (status === "found" && version === undefined)
      throw new SpacktainersError("INTERNAL", "the store does not say which index it has", { place });
    const others = status === "found" ? readRecords(bytes, edit === undefined) : [];
    const current = newestRecord(others, "db", databaseVersion, databaseVersion);
    if (edit !== undefined && current === undefined && others.length > 0)
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        "the cache's index is in a format that is not written here",
        {
          place,
          hint: "a newer Spack wrote it: write it again with that one, by spack buildcache update-index",
        },
      );
    const source =
      edit === undefined || current === undefined ? undefined : await fetchIndex(folder, current);
    if (source === "gone") return undefined;
    const add = [...(source === undefined ? await all() : []), ...(edit?.add ?? [])];
    const target = join(folder, "index.json");
    const change = { add, remove: edit?.remove ?? new Set<never>(), databaseVersion };
    const edited = await editIndex(source, target, change, place);
    if (source !== undefined && edited.added === 0 && edited.removed === 0) return edited;
    const { size } = await stat(target);
    const record: ManifestRecord = {
      digest: await digestOfFile(target),
      size,
      mediaType,
      compression: "none",
    };
    await announceLayout(store);
    await putBlob(store, record, { content: { path: target, size }, now: tools.clock() });
    const text = manifestText([record]);
    const condition = version === undefined ? ("absent" as const) : { version };
    const { written } = await writerOf(store).put(v3FixedPaths.indexManifest, Buffer.from(text), {
      condition,
    });
    return written ? edited : undefined;
  };
  const readRecords = (bytes: Uint8Array, lenient: boolean): readonly ManifestRecord[] => {
    try {
      return parseCacheManifest(bytes, place);
    } catch (thrown) {
      // What is made from what is there takes the place of anything.
      if (lenient) return [];
      throw thrown;
    }
  };
  /** The index that is there; `gone` where it was replaced and removed a moment ago. */
  const fetchIndex = async (folder: string, { digest, size }: ManifestRecord): Promise<string> => {
    const path = join(folder, "current.json");
    try {
      await store.download(blobPath(digest), path, { expectedDigest: digest, expectedSize: size });
      return path;
    } catch (thrown) {
      if (thrown instanceof SpacktainersError && thrown.code === "NOT_FOUND") {
        const again = await store.get(v3FixedPaths.indexManifest, { maxBytes: maxManifestBytes });
        const record = newestRecord(readRecords(again.bytes, true), "db", databaseVersion, databaseVersion);
        if (record?.digest !== digest) return "gone";
        throw new SpacktainersError("CACHE_INVALID", "the cache names an index that does not exist", {
          place,
          hint: "make it again: spacktainers cache index",
        });
      }
      throw thrown;
    }
  };
  return untilAlone(() => inScratch(tools.scratch, attempt), place, tools.signal);
}
