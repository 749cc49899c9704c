/**
 * The index of a cache in a registry. A tag cannot be moved on a condition: so whoever moved it looks again, until the index lists
 * what has a tag, and nothing else. Packages get their tags first: whoever is last to move the tag has seen all others'.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { parseImageManifest } from "../../../archive/oci/parse.ts";
import { mediaTypes } from "../../../archive/oci/types.ts";
import { bytesBlob, fileBlob } from "../../../registry/blobSource.ts";
import { downloadBlob } from "../../../registry/blobs.ts";
import { getManifest, headManifest, putManifest } from "../../../registry/manifests.ts";
import { pushBlobs } from "../../../registry/pushBlob.ts";
import { listTags } from "../../../registry/tags.ts";
import type { DagHash } from "../../../spec/concrete.ts";
import { digestOfFile } from "../../../util/digestOfFile.ts";
import { SpacktainersError } from "../../../util/errors.ts";
import { mapConcurrently } from "../../../util/mapConcurrently.ts";
import { type EditedIndex, editIndex, type IndexEdit, listedPackages } from "../../index/editIndex.ts";
import { inNewDialect, type SpecDocument } from "../../specDocument.ts";
import { untilAlone } from "../contended.ts";
import type { FormatEdit, WriterTools } from "../formatWriter.ts";
import type { PackageId } from "../packageId.ts";
import { inScratch } from "../scratch.ts";
import { collectSpecs } from "../storedPackages.ts";
import { hashOfTag, indexTag, packageTag, readOciPackage } from "./ociPackage.ts";
import type { OciPlace } from "./ociPlace.ts";

/** Versions of the database: of Spack up to 0.23, and of 1.0 to 1.2. */
const databases = { old: 7, new: 8 } as const;

/**
 * Changes the index so that it lists what the repository has.
 *
 * @param edit what was just added and is just about to go; undefined: everything is read again
 */
export async function changeOciIndex(
  place: OciPlace,
  tools: Pick<WriterTools, "scratch" | "emit" | "signal">,
  edit: FormatEdit | undefined,
): Promise<EditedIndex> {
  const { repository } = place;
  const where = { url: `${place.url}:${indexTag}` };
  const going = edit?.remove ?? new Set<DagHash>();
  const known = new Map(edit?.add.map((document) => [document.root.hash, document]));
  /** Packages whose images cannot be read: they are named once, and left out. */
  const unreadable = new Set<DagHash>();
  let counted = { added: 0, removed: 0 };
  let first = true;

  const attempt = async (folder: string): Promise<EditedIndex | undefined> => {
    const tags = new Map<DagHash, string>();
    for (const tag of (await listTags(repository)) ?? []) {
      const hash = hashOfTag(tag);
      if (hash !== undefined && !going.has(hash)) tags.set(hash, tag);
    }
    // Registries may list a tag a moment after it was made.
    await addUnlisted(
      tags,
      [...known.values()].map(({ root }) => root),
    );
    const current = first && edit === undefined ? undefined : await fetchCurrent(folder);
    first = false;
    const listed = current?.listed ?? new Map<DagHash, never>();
    await addUnlisted(
      tags,
      [...listed].map(([hash, facts]) => ({ ...facts, hash })),
    );
    const missing = [...tags].filter(([hash]) => !listed.has(hash) && !unreadable.has(hash));
    const gone = [...listed.keys()].filter((hash) => !tags.has(hash));
    if (current !== undefined && missing.length === 0 && gone.length === 0)
      return { packages: listed.size, ...counted };
    for (const document of await readSpecs(missing.filter(([hash]) => !known.has(hash))))
      known.set(document.root.hash, document);
    for (const [hash] of missing) if (!known.has(hash)) unreadable.add(hash);
    const add = missing.flatMap(([hash]) => known.get(hash) ?? []);
    const old =
      (current?.version ?? databases.old) === databases.old && add.every(({ version }) => version <= 4);
    if (!old && current?.version === databases.old) {
      // An index of Spack 0.x becomes one of 1.x: all specs are read again.
      const all = await readSpecs([...tags].filter(([hash]) => !known.has(hash)));
      for (const document of all) known.set(document.root.hash, document);
      const whole = [...tags.keys()].flatMap((hash) => known.get(hash) ?? []);
      await writeIndex(folder, undefined, { add: whole, remove: new Set(), databaseVersion: databases.new });
      counted = { added: counted.added + add.length, removed: counted.removed + gone.length };
      return undefined;
    }
    const done = await writeIndex(folder, current?.path, {
      add,
      remove: new Set(gone),
      databaseVersion: old ? databases.old : databases.new,
    });
    counted = { added: counted.added + done.added, removed: counted.removed + done.removed };
    return undefined;
  };

  /** Adds the tags of packages that are there nevertheless. */
  async function addUnlisted(
    tags: Map<DagHash, string>,
    packages: readonly Pick<PackageId, "name" | "version" | "hash">[],
  ): Promise<void> {
    const open = packages.filter(({ hash }) => !tags.has(hash) && !going.has(hash));
    await mapConcurrently(open, 8, async (one) => {
      const tag = packageTag(one);
      if ((await headManifest(repository, tag)) !== undefined) tags.set(one.hash, tag);
    });
  }

  /** The index that is there; undefined when there is none that can be read. */
  async function fetchCurrent(folder: string) {
    const found = await getManifest(repository, indexTag);
    if (found === undefined) return undefined;
    const [blob] = parseImageManifest(found.bytes, where).layers;
    if (blob === undefined) return undefined;
    const path = join(folder, "current.json");
    await downloadBlob(repository, blob, path);
    return { path, ...(await listedPackages(path, where)) };
  }

  const readSpecs = (tags: readonly (readonly [DagHash, string])[]): Promise<readonly SpecDocument[]> =>
    collectSpecs(
      "oci",
      {
        async *list() {
          for (const [hash, path] of tags) yield { format: "oci", hash, path, modified: undefined };
        },
        read: async ({ path }) => (await readOciPackage(place, path))?.specFile,
      },
      tools.emit,
    );

  async function writeIndex(
    folder: string,
    source: string | undefined,
    {
      add: documents,
      remove,
      databaseVersion,
    }: Omit<IndexEdit, "add"> & { readonly add: readonly SpecDocument[] },
  ): Promise<EditedIndex> {
    const target = join(folder, "index.json");
    const add =
      databaseVersion === databases.old ? documents : documents.map((one) => inNewDialect(one, where));
    const edited = await editIndex(source, target, { add, remove, databaseVersion }, where);
    const { size } = await stat(target);
    const index = fileBlob(target, { digest: await digestOfFile(target), size, label: "index of the cache" });
    const config = bytesBlob(Buffer.from("{}"));
    await pushBlobs(repository, [index, config]);
    // Spack reads the first layer, whatever its type says; it writes this one.
    const manifest = {
      mediaType: mediaTypes.manifest,
      schemaVersion: 2,
      config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
      layers: [{ mediaType: mediaTypes.layer, digest: index.digest, size }],
    };
    await putManifest(repository, indexTag, Buffer.from(JSON.stringify(manifest)), mediaTypes.manifest);
    return edited;
  }

  return untilAlone(
    () =>
      inScratch(tools.scratch, attempt).catch((thrown: unknown) => {
        // The index was replaced, and the registry cleared up, while we read it.
        if (thrown instanceof SpacktainersError && thrown.code === "NOT_FOUND") return undefined;
        throw thrown;
      }),
    where,
    tools.signal,
  );
}
