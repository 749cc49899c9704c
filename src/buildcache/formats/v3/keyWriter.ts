/** The public keys that a cache in layout v3 publishes. */
import type { Store } from "../../../store/store.ts";
import { digestOf } from "../../../util/digest.ts";
import { untilAlone } from "../contended.ts";
import type { WriterTools } from "../formatWriter.ts";
import { fingerprintsIn, keyFile, placeOf, writerOf } from "../storedFiles.ts";
import { newestRecord, parseCacheManifest } from "./manifest.ts";
import { blobPath, v3FixedPaths } from "./paths.ts";
import { announceLayout, manifestText, namedBlobs, putBlob } from "./writeManifest.ts";

type Tools = Pick<WriterTools, "clock" | "signal">;

/** Puts a key, then lists it. */
export async function putKey(
  store: Store,
  tools: Tools,
  fingerprint: string,
  armored: string,
): Promise<"written" | "present"> {
  const path = v3FixedPaths.keyManifest(fingerprint);
  const bytes = Buffer.from(armored);
  const before = await keyFile(store, path);
  const known = before === undefined ? [] : namedBlobs(Buffer.from(before).toString("utf8"));
  const same = known.some(({ digest }) => digest === digestOf(bytes));
  if (!same || (await keyFile(store, blobPath(digestOf(bytes)))) === undefined) {
    await announceLayout(store);
    await putDocument(store, tools, path, bytes, "application/pgp-keys", undefined);
  }
  const listed = await changeList(store, tools, (keys) => new Set(keys).add(fingerprint));
  return same && !listed ? "present" : "written";
}

/** Takes a key off the list, then removes it. */
export async function removeKey(store: Store, tools: Tools, fingerprint: string): Promise<void> {
  await changeList(store, tools, (keys) => new Set([...keys].filter((key) => key !== fingerprint)));
  const path = v3FixedPaths.keyManifest(fingerprint);
  const before = await keyFile(store, path);
  if (before === undefined) return;
  await writerOf(store).delete(path);
  for (const { digest } of namedBlobs(Buffer.from(before).toString("utf8")))
    await writerOf(store).delete(blobPath(digest));
}

/** Changes the list of keys; whether it had to be. */
async function changeList(
  store: Store,
  tools: Tools,
  change: (keys: readonly string[]) => ReadonlySet<string>,
): Promise<boolean> {
  const path = v3FixedPaths.keyIndexManifest;
  const place = placeOf(store, path);
  return untilAlone(
    async () => {
      const { status, bytes, version } = await store.get(path, { maxBytes: 2 ** 20 });
      const record =
        status === "found" ? newestRecord(parseCacheManifest(bytes, place), "keyindex") : undefined;
      const list = record === undefined ? undefined : await keyFile(store, blobPath(record.digest));
      const keys = list === undefined ? [] : fingerprintsIn(list, place);
      const next = change(keys);
      if (next.size === keys.length && keys.every((key) => next.has(key))) return false;
      const text = JSON.stringify({ keys: Object.fromEntries([...next].sort().map((key) => [key, {}])) });
      const type = "application/vnd.spack.keyindex.v1+json";
      const written = await putDocument(store, tools, path, Buffer.from(text), type, version ?? "absent");
      return written ? true : undefined;
    },
    place,
    tools.signal,
  );
}

async function putDocument(
  store: Store,
  { clock }: Tools,
  path: string,
  bytes: Uint8Array,
  mediaType: string,
  before: string | undefined,
): Promise<boolean> {
  const record = { digest: digestOf(bytes), size: bytes.length, mediaType, compression: "none" } as const;
  await putBlob(store, record, bytes, clock());
  const condition =
    before === undefined ? undefined : before === "absent" ? ("absent" as const) : { version: before };
  const result = await writerOf(store).put(path, Buffer.from(manifestText([record])), { condition });
  return result.written;
}
