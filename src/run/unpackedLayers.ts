/**
 * Layers of images as directories, kept from run to run below `rootfs/` of the cache: `<id>/fs`, one for each layer that can
 * be stacked on others, or for a whole chain of layers merged. Each appears whole or not at all, so that concurrent runs share them.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decompressStream } from "../archive/decompress.ts";
import type { Entry, EntryStream } from "../archive/entry.ts";
import { hashing } from "../archive/gzip.ts";
import type { LayoutLayer } from "../archive/oci/readOciLayout.ts";
import { readTar } from "../archive/readTar.ts";
import { applyLayer, layerMeaning } from "../archive/unpackEntries.ts";
import { sweepTemporaries, writeAtomically } from "../util/atomicFile.ts";
import { type Digest, digestOf, digestOfHex, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, type RunningTask, runTask } from "../util/events.ts";

/** More directories than this are not stacked: the kernel wants all their names in one page. */
const mostStacked = 100;

/** Marks an unpacked layer that takes something away from layers below it. */
const removesMarker = "removes";

/** How to unpack. */
export interface UnpackContext {
  /** The folder `rootfs` of the cache. */
  readonly directory: string;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal;
}

/**
 * Unpacks an image's layers, as far as that is not done yet.
 *
 * @param layers from bottom to top
 * @returns identifiers of directories to stack, from bottom to top; each is in `<context.directory>/<id>/fs`
 * @throws SpacktainersError CHECKSUM_MISMATCH, ARCHIVE_INVALID, ARCHIVE_UNSAFE, DISK_FULL, INTERRUPTED
 */
export async function stackedLayers(
  layers: readonly LayoutLayer[],
  context: UnpackContext,
): Promise<readonly string[]> {
  await mkdir(context.directory, { recursive: true, mode: 0o700 });
  await sweepTemporaries(context.directory);
  const ids = [];
  let merged = Math.max(0, layers.length - mostStacked + 1);
  for (const [index, layer] of layers.entries()) {
    const id = layerId(layer);
    await unpackOnce(id, [layer], context);
    // What takes files away would need device nodes and attributes that only a file system for stacking understands.
    const removes = index > 0 && (await exists(join(context.directory, id, removesMarker)));
    if (removes) merged = Math.max(merged, index + 1);
    ids.push(id);
  }
  if (merged < 2) return ids;
  return [await mergedLayers(layers.slice(0, merged), context), ...ids.slice(merged)];
}

/** As {@link stackedLayers}, but all layers in one directory, for runtimes and kernels that cannot stack. */
export async function mergedLayers(layers: readonly LayoutLayer[], context: UnpackContext): Promise<string> {
  const [only, ...more] = layers;
  await mkdir(context.directory, { recursive: true, mode: 0o700 });
  const id =
    only !== undefined && more.length === 0
      ? layerId(only)
      : `c${hexOfDigest(digestOf(layers.map((layer) => layer.diffId).join(" "))).slice(0, 32)}`;
  await unpackOnce(id, layers, context);
  return id;
}

function layerId(layer: LayoutLayer): string {
  return hexOfDigest(layer.diffId).slice(0, 32);
}

async function unpackOnce(id: string, layers: readonly LayoutLayer[], context: UnpackContext): Promise<void> {
  const target = join(context.directory, id);
  const now = new Date();
  const known = await utimes(target, now, now).then(
    () => true,
    () => false,
  );
  if (known) return;
  const label = layers.length === 1 ? `layer ${id.slice(0, 12)}` : `${layers.length} layers`;
  const bytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  const { emit, signal } = context;
  await runTask(emit, { kind: "unpack", subject: id, label, bytes, signal }, async ({ counted }) => {
    try {
      await writeAtomically(target, async (temporary) => {
        await mkdir(join(temporary, "fs"), { recursive: true });
        let removes = false;
        for (const layer of layers) removes = (await unpackLayer(layer, temporary, counted)) || removes;
        if (removes) await writeFile(join(temporary, removesMarker), "");
      });
    } catch (error) {
      // Another run may have been faster.
      if (!["ENOTEMPTY", "EEXIST"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
    }
  });
}

/** @returns whether the layer takes something away */
async function unpackLayer(
  layer: LayoutLayer,
  temporary: string,
  counted: RunningTask["counted"],
): Promise<boolean> {
  const where = { file: layer.path };
  const hash = createHash("sha256");
  let removes = false;
  const compressed = counted(createReadStream(layer.path, { highWaterMark: 2 ** 20 }));
  const tar = hashing(decompressStream(compressed, { where }), hash);
  // Some tools (umoci) leave out the blocks of zeros at the end; whether the layer is whole, its digest says.
  const entries = readTar(tar, { where, special: "skip", absolute: "relative", end: "optional" });
  await applyLayer(join(temporary, "fs"), withoutPrivileges(entries), {
    onEntry: (entry) => {
      const { kind } = layerMeaning(entry.path);
      removes ||= kind === "removed" || kind === "opaque";
    },
  });
  const found: Digest = digestOfHex(hash.digest("hex"));
  if (found !== layer.diffId)
    throw new SpacktainersError("CHECKSUM_MISMATCH", "a layer is not what the image's configuration says", {
      place: where,
      hint: "the image is damaged; build it again",
    });
  return removes;
}

/** The files belong to whoever runs us: a set-user-ID bit would lend this user's rights to everybody on the machine. */
async function* withoutPrivileges(entries: EntryStream): EntryStream {
  for await (const entry of entries)
    yield { ...entry, mode: entry.mode & (entry.type === "directory" ? 0o1777 : 0o777) } as Entry;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
