/**
 * Layers of images as directories, kept from run to run below `rootfs/` of the cache: `<id>/fs`, one for each layer that can
 * be stacked on others, or for a whole chain of layers merged. Each appears whole or not at all, so that concurrent runs share them.
 */
import { mkdir, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Entry, EntryStream } from "../archive/entry.ts";
import { applyLayer, layerMeaning } from "../archive/unpackEntries.ts";
import type { Image } from "../image/image.ts";
import { bytesOfLayers, type Layer } from "../image/layer.ts";
import { layerEntries } from "../image/layerEntries.ts";
import { sweepTemporaries, writeAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, runTask } from "../util/events.ts";
import { madeOnce } from "./madeOnce.ts";

/** More directories than this are not stacked: the kernel wants all their names in one page. */
const mostStacked = 100;

/** Marks an unpacked layer that takes something away from layers below it. */
const removesMarker = "removes";

/** How to unpack. */
export interface UnpackContext {
  /** The folder `rootfs` of the cache. */
  readonly directory: string;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
}

/** A layer, and the name of its directory. */
interface Part {
  readonly id: string;
  readonly layer: Layer;
}

/**
 * Unpacks an image's layers, as far as that is not done yet. An unpacked image is used where it lies.
 *
 * @returns identifiers of directories to stack, from bottom to top; each is in `<context.directory>/<id>/fs`
 * @throws SpacktainersError CHECKSUM_MISMATCH, ARCHIVE_INVALID, ARCHIVE_UNSAFE, DISK_FULL, INTERRUPTED; of reading the image
 */
export async function stackedLayers(image: Image, context: UnpackContext): Promise<readonly string[]> {
  await mkdir(context.directory, { recursive: true, mode: 0o700 });
  await sweepTemporaries(context.directory);
  const parts = await partsOf(image);
  if (parts === undefined) return [await linkToDirectory(image, context)];
  let merged = Math.max(0, parts.length - mostStacked + 1);
  for (const [index, part] of parts.entries()) {
    await unpackOnce(part.id, [part.layer], context);
    // What takes files away would need device nodes and attributes that only a file system for stacking understands.
    const removes = index > 0 && (await exists(join(context.directory, part.id, removesMarker)));
    if (removes) merged = Math.max(merged, index + 1);
  }
  const ids = parts.map(({ id }) => id);
  if (merged < 2) return ids;
  return [await unpackMerged(parts.slice(0, merged), context), ...ids.slice(merged)];
}

/**
 * As {@link stackedLayers}, but all layers in one directory, for runtimes and kernels that cannot stack.
 * @throws SpacktainersError NOT_SUPPORTED for an unpacked image, to whose files nothing can be added without writing there
 */
export async function mergedLayers(image: Image, context: UnpackContext): Promise<string> {
  await mkdir(context.directory, { recursive: true, mode: 0o700 });
  const parts = await partsOf(image);
  if (parts === undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "an unpacked image cannot be started here: the kernel does not let users stack directories (Linux 5.11 and later do)",
      { place: image.place, hint: "use --with apptainer, or pack it with spacktainers sif" },
    );
  return unpackMerged(parts, context);
}

async function unpackMerged(parts: readonly Part[], context: UnpackContext): Promise<string> {
  const [only, ...more] = parts;
  const names = parts.map(({ layer, id }) => layer.diffId ?? id).join(" ");
  const id =
    only !== undefined && more.length === 0 ? only.id : `c${hexOfDigest(digestOf(names)).slice(0, 32)}`;
  await unpackOnce(
    id,
    parts.map(({ layer }) => layer),
    context,
  );
  return id;
}

/**
 * The layers of an image by what decides their files: each its own content, or of a SIF or squashfs file all of it.
 * @returns undefined for a directory, which can change at any time
 */
async function partsOf(image: Image): Promise<readonly Part[] | undefined> {
  const layers = await image.layers();
  const parts: Part[] = [];
  for (const layer of layers) {
    const digest = layer.diffId ?? (await image.contentDigest());
    if (digest === undefined) return undefined;
    parts.push({ id: hexOfDigest(digest).slice(0, 32), layer });
  }
  return parts;
}

/** A directory in our store that leads to an unpacked image. */
async function linkToDirectory({ apptainerPath }: Image, { directory }: UnpackContext): Promise<string> {
  if (apptainerPath === undefined) throw new Error("the image is not a directory");
  const id = `d${hexOfDigest(digestOf(apptainerPath)).slice(0, 32)}`;
  if (await exists(join(directory, id))) return id;
  await writeAtomically(join(directory, id), async (temporary) => {
    await mkdir(temporary);
    await symlink(apptainerPath, join(temporary, "fs"));
  }).catch(ignoreFaster);
  return id;
}

async function unpackOnce(id: string, layers: readonly Layer[], context: UnpackContext): Promise<void> {
  const target = join(context.directory, id);
  const label = layers.length === 1 ? `layer ${id.slice(0, 12)}` : `${layers.length} layers`;
  const bytes = bytesOfLayers(layers);
  const { emit, signal } = context;
  const unpack = (): Promise<void> =>
    runTask(emit, { kind: "unpack", subject: id, label, bytes, signal }, async ({ progress }) => {
      await writeAtomically(target, async (temporary) => {
        const root = join(temporary, "fs");
        await mkdir(root, { recursive: true });
        let removes = false;
        for (const layer of layers) removes = (await unpackLayer(layer, root, progress, signal)) || removes;
        if (removes) await writeFile(join(temporary, removesMarker), "");
      });
    });
  await madeOnce(
    {
      lock: join(context.directory, `.${id}.lock`),
      what: `unpacking ${label}`,
      isThere: () => isUsed(target),
      make: unpack,
    },
    context,
  );
}

/** Whether it is there; and if so, it is used now. */
async function isUsed(target: string): Promise<boolean> {
  const now = new Date();
  return utimes(target, now, now).then(
    () => true,
    () => false,
  );
}

/** Another run may have been faster. */
function ignoreFaster(error: unknown): void {
  if (!["ENOTEMPTY", "EEXIST"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
}

/** @returns whether the layer takes something away */
async function unpackLayer(
  layer: Layer,
  root: string,
  onStored: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let removes = false;
  await applyLayer(root, withoutPrivileges(layerEntries(layer, { onStored, signal })), {
    onEntry: (entry) => {
      const { kind } = layerMeaning(entry.path);
      removes ||= kind === "removed" || kind === "opaque";
    },
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
