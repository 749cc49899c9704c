/**
 * Writing layout v2: the archive first, then the signed spec file, which names its digest. An archive's name does not contain its
 * digest: two that write the same package at once must end up with a pair that belongs together.
 */
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseDagHash } from "../../../spec/concrete.ts";
import type { PutCondition, Store } from "../../../store/store.ts";
import { digestOf, hexOfDigest } from "../../../util/digest.ts";
import { digestOfFile } from "../../../util/digestOfFile.ts";
import { SpacktainersError } from "../../../util/errors.ts";
import { linedJson } from "../../../util/jsonText.ts";
import { mapConcurrently } from "../../../util/mapConcurrently.ts";
import { type EditedIndex, editIndex } from "../../index/editIndex.ts";
import { specText } from "../../specDocument.ts";
import { untilAlone } from "../contended.ts";
import type { FormatEdit, FormatWriter, ReadyPackage, WriterTools } from "../formatWriter.ts";
import { inScratch } from "../scratch.ts";
import { fingerprintsIn, keyFile, listFolder, placeOf, writerOf } from "../storedFiles.ts";
import { collectSpecs, describeMetadata } from "../storedPackages.ts";
import type { VerifiedMetadata } from "../verifiedMetadata.ts";
import type { StoredPackage } from "../writer.ts";
import { readV2Metadata } from "./metadata.ts";
import { packagePaths, v2FixedPaths } from "./paths.ts";

/** Version of the database: that of Spack 0.21 to 0.23. */
const databaseVersion = 7;
const readsAtOnce = 16;
/** Stores tell times in whole seconds. */
const clockGrainMs = 2000;
const metadataName = /-([a-z0-9]{32})\.spec\.json(?:\.sig)?$/;

/** Opens the part of a store that is in layout v2 for writing. */
export function openV2Writer(store: Store, tools: WriterTools): FormatWriter {
  const { trust, clock, signal } = tools;
  const lenient = { ...trust, unsigned: true };

  const describe = async (stored: StoredPackage) =>
    describeMetadata(store, stored, await readV2Metadata(store, trust, stored.path, stored));

  async function* list(): AsyncGenerator<StoredPackage, void, undefined> {
    for await (const { path, modified } of listFolder(store, "build_cache")) {
      const hash = parseDagHash(metadataName.exec(path)?.[1] ?? "");
      if (hash !== undefined) yield { format: "v2", hash, path, modified };
    }
  }

  const allSpecs = () =>
    collectSpecs(
      "v2",
      {
        list,
        read: async (stored) => (await readV2Metadata(store, lenient, stored.path, stored))?.specFile,
      },
      tools.emit,
    );

  /** The metadata that is there, if it may be used and its archive is there, too. */
  async function goodMetadata(
    path: string,
    hash: StoredPackage["hash"],
  ): Promise<VerifiedMetadata | undefined> {
    try {
      const found = await readV2Metadata(store, trust, path, { hash });
      return found !== undefined && (await archiveDigest(found.archivePath)) === found.digest
        ? found
        : undefined;
    } catch (thrown) {
      if (thrown instanceof SpacktainersError && ["NETWORK", "ACCESS_DENIED"].includes(thrown.code))
        throw thrown;
      return undefined;
    }
  }

  /** SHA-256 of an archive that is there. Its name does not say it: it has to be read. */
  async function archiveDigest(path: string): Promise<string | undefined> {
    const local = store.localFile(path);
    try {
      if (local !== undefined) return await digestOfFile(local);
      return await inScratch(
        tools.scratch,
        async (folder) => (await store.download(path, join(folder, "archive"), {})).digest,
      );
    } catch (thrown) {
      if (thrown instanceof SpacktainersError && thrown.code !== "NOT_FOUND") throw thrown;
      return undefined;
    }
  }

  async function put(
    content: ReadyPackage,
    { replace = false, onBytes }: Parameters<FormatWriter["put"]>[1],
  ): Promise<"written" | "present"> {
    const { document, archive } = content;
    const { root, graph } = document;
    const [paths] = packagePaths(root, (hash) => graph.get(hash));
    if (paths === undefined) throw new SpacktainersError("INTERNAL", "a package has no name in layout v2");
    const text = await tools.sign(metadataText(content));
    const signed = text.startsWith("-----BEGIN");
    const [path, other] = signed ? [paths.signed, paths.unsigned] : [paths.unsigned, paths.signed];
    let force = replace;
    return untilAlone(
      async () => {
        // Readers take a signed file before an unsigned one.
        const before = await store.stat(path);
        if (!force && before !== undefined && (await goodMetadata(path, root.hash)) !== undefined)
          return "present";
        const lying = await store.stat(paths.archive);
        let version = lying?.version;
        if (lying === undefined || (await archiveDigest(paths.archive)) !== archive.digest) {
          const result = await writerOf(store).put(paths.archive, archive, {
            onBytes,
            condition: conditionOf(lying),
          });
          if (!result.written) return undefined;
          version = result.version;
        } else onBytes?.(archive.size);
        const result = await writerOf(store).put(path, Buffer.from(text), { condition: conditionOf(before) });
        if (!result.written) return undefined;
        // Another writer may have replaced our archive before its own spec file was refused.
        const now = await store.stat(paths.archive);
        if (now?.version !== version && (await archiveDigest(paths.archive)) !== archive.digest) {
          force = true;
          return undefined;
        }
        if (replace || signed) await writerOf(store).delete(other);
        return "written";
      },
      placeOf(store, path),
      signal,
    );
  }

  /** Changes the index; without `edit`, makes it from what is there. */
  async function changeIndex(edit: FormatEdit | undefined): Promise<EditedIndex> {
    const place = placeOf(store, v2FixedPaths.index);
    const changed = await untilAlone(
      () =>
        inScratch(tools.scratch, async (folder) => {
          const facts = await store.stat(v2FixedPaths.index);
          let source: string | undefined;
          if (facts !== undefined && edit !== undefined) {
            source = join(folder, "current.json");
            await store.download(v2FixedPaths.index, source, {});
            if ((await store.stat(v2FixedPaths.index))?.version !== facts.version) return undefined;
          }
          const target = join(folder, "index.json");
          const add = [...(source === undefined ? await allSpecs() : []), ...(edit?.add ?? [])];
          const change = { add, remove: edit?.remove ?? new Set<never>(), databaseVersion };
          const edited = await editIndex(source, target, change, place);
          if (source !== undefined && edited.added === 0 && edited.removed === 0) return edited;
          const { size } = await stat(target);
          const { written } = await writerOf(store).put(
            v2FixedPaths.index,
            { path: target, size },
            { condition: conditionOf(facts), mediaType: "application/json", cacheControl: "no-cache" },
          );
          return written ? edited : undefined;
        }),
      place,
      signal,
    );
    await writeIndexHash();
    return changed;
  }

  /** The digest beside the index, until it is that of the index that is there. */
  async function writeIndexHash(): Promise<void> {
    await untilAlone(
      async () => {
        const before = (await store.stat(v2FixedPaths.index))?.version;
        const digest = await archiveDigest(v2FixedPaths.index);
        if (digest === undefined) return true;
        const hex = digest.slice("sha256:".length);
        const there = await store.get(v2FixedPaths.indexHash, { maxBytes: 4096 });
        if (Buffer.from(there.bytes).toString("latin1") !== hex)
          await writerOf(store).put(v2FixedPaths.indexHash, Buffer.from(hex), {
            mediaType: "text/plain",
            cacheControl: "no-cache",
          });
        return (await store.stat(v2FixedPaths.index))?.version === before ? true : undefined;
      },
      placeOf(store, v2FixedPaths.indexHash),
      signal,
    );
  }

  async function changeKeys(change: (keys: readonly string[]) => ReadonlySet<string>): Promise<boolean> {
    const place = placeOf(store, v2FixedPaths.keyIndex);
    return untilAlone(
      async () => {
        const { status, bytes, version } = await store.get(v2FixedPaths.keyIndex, { maxBytes: 2 ** 20 });
        const keys = status === "found" ? fingerprintsIn(bytes, place) : [];
        const next = change(keys);
        if (next.size === keys.length && keys.every((key) => next.has(key))) return false;
        const text = JSON.stringify({ keys: Object.fromEntries([...next].sort().map((key) => [key, {}])) });
        const { written } = await writerOf(store).put(v2FixedPaths.keyIndex, Buffer.from(text), {
          condition: conditionOf(status === "found" ? { version } : undefined),
          mediaType: "application/json",
        });
        return written ? true : undefined;
      },
      place,
      signal,
    );
  }

  /** Names of the archives that there is metadata for now: they differ in their folders and their ends only. */
  async function namedArchives(): Promise<ReadonlySet<string>> {
    const named = new Set<string>();
    for await (const { path } of list())
      named.add(`${basename(path).replace(/\.spec\.json(\.sig)?$/, "")}.spack`);
    return named;
  }

  async function removeUnnamed(paths: readonly string[], before: number): Promise<number> {
    const named = await namedArchives();
    let bytes = 0;
    for (const path of paths) {
      const facts = named.has(basename(path)) ? undefined : await store.stat(path);
      if (facts === undefined || (facts.modified ?? 0) >= before - clockGrainMs) continue;
      await writerOf(store).delete(path);
      bytes += facts.size ?? 0;
    }
    return bytes;
  }

  return {
    name: "v2",
    isPresent: async () =>
      (await store.hasFolder("build_cache")) === true || (await store.stat(v2FixedPaths.index)) !== undefined,
    put,
    async putKey(fingerprint, armored) {
      const path = v2FixedPaths.key(fingerprint);
      const before = await keyFile(store, path);
      const same = before !== undefined && digestOf(before) === digestOf(armored);
      if (!same) await writerOf(store).put(path, Buffer.from(armored));
      const listed = await changeKeys((keys) => new Set(keys).add(fingerprint));
      return same && !listed ? "present" : "written";
    },
    async removeKey(fingerprint) {
      await changeKeys((keys) => new Set(keys.filter((key) => key !== fingerprint)));
      await writerOf(store).delete(v2FixedPaths.key(fingerprint));
    },
    changeIndex,
    rebuildIndex: () => changeIndex(undefined),
    list,
    describe,
    async remove(packages) {
      const started = clock();
      const archives = await mapConcurrently(packages, readsAtOnce, async ({ path, hash }) => {
        const found = await readV2Metadata(store, lenient, path, { hash }).catch(() => undefined);
        await writerOf(store).delete(path);
        return found?.archivePath ?? [];
      });
      return removeUnnamed([...new Set(archives.flat())], started);
    },
    async *orphans() {
      const named = await namedArchives();
      for await (const { path, size, modified } of listFolder(store, "build_cache"))
        if (path.endsWith(".spack") && !named.has(basename(path)))
          yield { format: "v2", path, size, modified };
    },
    removeOrphans: (orphans) =>
      removeUnnamed(
        orphans.map(({ path }) => path),
        clock(),
      ),
  };
}

function conditionOf(facts: { readonly version: string | undefined } | undefined): PutCondition | undefined {
  if (facts === undefined) return "absent";
  return facts.version === undefined ? undefined : { version: facts.version };
}

function metadataText({ document, archive }: ReadyPackage): string {
  const checksum = JSON.stringify({ hash_algorithm: "sha256", hash: hexOfDigest(archive.digest) });
  return linedJson(
    `{"spec":${specText(document)},"buildcache_layout_version":2,"binary_cache_checksum":${checksum}}`,
  );
}
