/** Writing layout v3: blobs first, then the manifest that names them. */
import { gunzipSync, gzipSync } from "node:zlib";
import type { RetryPolicy } from "../../../net/retry.ts";
import { looksClearSigned, parseCleartext } from "../../../openpgp/cleartext.ts";
import { parseDagHash } from "../../../spec/concrete.ts";
import type { Store, StoredBytes } from "../../../store/store.ts";
import { digestOf } from "../../../util/digest.ts";
import { SpacktainersError } from "../../../util/errors.ts";
import { mapConcurrently } from "../../../util/mapConcurrently.ts";
import { specText } from "../../specDocument.ts";
import { believe } from "../believe.ts";
import { untilAlone } from "../contended.ts";
import type { FormatWriter, ReadyPackage, WriterTools } from "../formatWriter.ts";
import { listFolder, placeOf, writerOf } from "../storedFiles.ts";
import { collectSpecs, describeMetadata } from "../storedPackages.ts";
import { decodeUtf8, maxSpecFileBytes } from "../verifiedMetadata.ts";
import type { StoredPackage } from "../writer.ts";
import { changeV3Index } from "./indexWriter.ts";
import { putKey, removeKey } from "./keyWriter.ts";
import { type ManifestRecord, newestRecord, parseCacheManifest } from "./manifest.ts";
import { readV3Metadata } from "./metadata.ts";
import { blobPath, manifestPath, v3FixedPaths } from "./paths.ts";
import { announceLayout, manifestText, namedBlobs, putBlob } from "./writeManifest.ts";

const maxManifestBytes = 2 ** 20;
const readsAtOnce = 16;
/** Stores tell times in whole seconds. */
const clockGrainMs = 2000;
const archiveType = "application/vnd.spack.install.v2.tar+gzip";
const specFolder = `${v3FixedPaths.manifests}/spec`;

/** Opens the part of a store that is in layout v3 for writing. */
export function openV3Writer(store: Store, tools: WriterTools, policy: RetryPolicy): FormatWriter {
  const { trust, clock, signal } = tools;

  const describe = async (stored: StoredPackage) =>
    describeMetadata(
      store,
      stored,
      await readV3Metadata(store, trust, { path: stored.path, asked: stored }, policy),
    );

  async function* list(): AsyncGenerator<StoredPackage, void, undefined> {
    for await (const { path, modified } of listFolder(store, specFolder)) {
      const hash = parseDagHash(/-([a-z0-9]{32})\.spec\.manifest\.json$/.exec(path)?.[1] ?? "");
      if (hash !== undefined) yield { format: "v3", hash, path, modified };
    }
  }

  /** Whether a manifest that is there will do: somebody may use it as it is. */
  async function isGood({ bytes }: StoredBytes, path: string): Promise<boolean> {
    try {
      const place = placeOf(store, path);
      const { text } = await believe(decodeUtf8(bytes, place), trust, place);
      const records = parseCacheManifest(text, place);
      const needed = [newestRecord(records, "install", 2, 2), newestRecord(records, "spec", 3, 6)];
      return (await Promise.all(needed.map(hasBlob))).every(Boolean);
    } catch (thrown) {
      if (thrown instanceof SpacktainersError && ["NETWORK", "ACCESS_DENIED"].includes(thrown.code))
        throw thrown;
      return false;
    }
  }

  async function hasBlob(record: ManifestRecord | undefined): Promise<boolean> {
    if (record === undefined) return false;
    const facts = await store.stat(blobPath(record.digest));
    return facts !== undefined && (facts.size ?? record.size) === record.size;
  }

  /** Paths of all blobs that manifests name now. */
  async function namedPaths(): Promise<ReadonlySet<string>> {
    const manifests: string[] = [];
    for await (const { path } of listFolder(store, v3FixedPaths.manifests)) manifests.push(path);
    const lists = await mapConcurrently(manifests, readsAtOnce, async (path) => {
      const { status, bytes } = await store.get(path, { maxBytes: maxManifestBytes });
      if (status !== "found") return [];
      // What cannot be read may name anything: then nothing can be said to be unnamed.
      return parseCacheManifest(
        unsigned(decodeUtf8(bytes, placeOf(store, path)), path),
        placeOf(store, path),
      );
    });
    return new Set(lists.flat().map(({ digest }) => blobPath(digest)));
  }

  const unsigned = (text: string, path: string): string =>
    looksClearSigned(text) ? parseCleartext(text, placeOf(store, path)).text : text;

  /** Removes blobs that nothing names, and that nobody has put again since they were listed. */
  async function removeUnnamed(paths: readonly string[], before: number): Promise<number> {
    const named = await namedPaths();
    let bytes = 0;
    for (const path of paths) {
      if (named.has(path)) continue;
      const facts = await store.stat(path);
      if (facts === undefined || (facts.modified ?? 0) >= before - clockGrainMs) continue;
      await writerOf(store).delete(path);
      bytes += facts.size ?? 0;
    }
    return bytes;
  }

  const allSpecs = () => collectSpecs("v3", { list, read: readSpec }, tools.emit);
  const readSpec = async (stored: StoredPackage) =>
    (await readV3Metadata(store, { ...trust, unsigned: true }, { path: stored.path, asked: stored }, policy))
      ?.specFile;

  return {
    name: "v3",
    isPresent: async () =>
      (await store.stat(v3FixedPaths.layout)) !== undefined ||
      (await store.hasFolder(v3FixedPaths.manifests)) === true,
    async put(content, { replace = false, onBytes }) {
      const { root } = content.document;
      const path = manifestPath(root);
      const place = placeOf(store, path);
      return untilAlone(
        async () => {
          const before = await store.get(path, { maxBytes: maxManifestBytes });
          const there = before.status === "found";
          if (there && !replace && (await isGood(before, path))) return "present";
          await announceLayout(store);
          const spec = specBlobOf(content);
          const records: readonly ManifestRecord[] = [
            { ...content.archive, mediaType: archiveType, compression: "gzip" },
            {
              digest: digestOf(spec),
              size: spec.length,
              mediaType: "application/vnd.spack.spec.v5+json",
              compression: "gzip",
            },
          ];
          const putBlobs = async (told: typeof onBytes): Promise<void> => {
            const [archive, specFile] = records;
            if (archive !== undefined) await putBlob(store, archive, content.archive, clock(), told);
            if (specFile !== undefined) await putBlob(store, specFile, spec, clock());
          };
          await putBlobs(onBytes);
          const text = Buffer.from(await tools.sign(manifestText(records)));
          const condition = before.version === undefined ? ("absent" as const) : { version: before.version };
          const { written } = await writerOf(store).put(path, text, { condition });
          if (!written) return undefined;
          // Whoever cleared the cache up meanwhile did not know that these are needed.
          if (!(await Promise.all(records.map(hasBlob))).every(Boolean)) await putBlobs(undefined);
          return "written";
        },
        place,
        signal,
      );
    },
    putKey: (fingerprint, armored) => putKey(store, tools, fingerprint, armored),
    removeKey: (fingerprint) => removeKey(store, tools, fingerprint),
    changeIndex: (edit) => changeV3Index(store, tools, edit, allSpecs),
    rebuildIndex: () => changeV3Index(store, tools, undefined, allSpecs),
    list,
    describe,
    async remove(packages) {
      const started = clock();
      const blobs = await mapConcurrently(packages, readsAtOnce, async ({ path }) => {
        const { bytes } = await store.get(path, { maxBytes: maxManifestBytes });
        await writerOf(store).delete(path);
        const text = Buffer.from(bytes).toString("utf8");
        return namedBlobs(looksClearSigned(text) ? unsignedOrNothing(text) : text);
      });
      return removeUnnamed([...new Set(blobs.flat().map(({ digest }) => blobPath(digest)))], started);
    },
    async *orphans() {
      const named = await namedPaths();
      for await (const { path, size, modified } of listFolder(store, "blobs"))
        if (!named.has(path)) yield { format: "v3", path, size, modified };
    },
    removeOrphans: (orphans) =>
      removeUnnamed(
        orphans.map(({ path }) => path),
        clock(),
      ),
  };
}

function unsignedOrNothing(text: string): string {
  try {
    return parseCleartext(text, {}).text;
  } catch {
    return "";
  }
}

/** The spec file as it is stored: the bytes that it came in, where they are of this very document. */
function specBlobOf({ document, specBlob }: ReadyPackage): Uint8Array {
  const text = `{"spec":${specText(document)},"buildcache_layout_version":2}`;
  if (specBlob !== undefined) {
    try {
      const there = gunzipSync(specBlob, { maxOutputLength: maxSpecFileBytes }).toString("utf8");
      if (there === text) return specBlob;
    } catch {
      // Written again, then.
    }
  }
  return gzipSync(text, { level: 6 });
}
