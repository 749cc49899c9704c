/** A base from a root file system in a tar file. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { decompressStream } from "../archive/decompress.ts";
import type { EntryStream } from "../archive/entry.ts";
import { printable } from "../archive/names.ts";
import { readTar } from "../archive/readTar.ts";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, runTask } from "../util/events.ts";
import { fileState } from "../util/fileState.ts";
import { type BaseStore, keyOf } from "./baseStore.ts";
import { buildLayer, transformationVersion } from "./buildLayer.ts";
import { findBuilt, rememberBuilt } from "./builtBase.ts";
import { watchDpkgStatus } from "./dpkgStatus.ts";
import { libcVersionOf } from "./libc.ts";
import { makeRootTree } from "./rootTree.ts";
import type { Base, BasePlan, BuildBaseOptions, RootfsBaseSpec } from "./types.ts";

/**
 * Finds out which root file system a tar file (plain, gzip, xz or zstd) holds, and how to make a layer of it. Devices and
 * FIFOs are left out; owners, modes and times are kept, extended attributes are not. Paths that lead through links to
 * directories are written as what they lead to.
 *
 * @throws SpacktainersError NOT_FOUND; when made ARCHIVE_INVALID, ARCHIVE_UNSAFE
 */
export async function planRootfsBase(
  spec: RootfsBaseSpec,
  options: BuildBaseOptions,
  store: BaseStore,
): Promise<BasePlan> {
  const { emit } = options;
  const where: Place = { file: spec.path };
  const { digest, size } = await fileDigest(spec.path, store, where);
  const key = keyOf(["rootfs", transformationVersion, digest]);
  const find = (): Promise<Base | undefined> => findBuilt(store, key);
  const task = {
    kind: "base",
    subject: key,
    label: "root file system",
    bytes: size,
    signal: options.signal,
  } as const;
  const make = (): Promise<Base> =>
    runTask(emit, task, async ({ counted }) => {
      const file = counted(createReadStream(spec.path, { highWaterMark: 2 ** 18 }));
      const tar = readTar(decompressStream(file, { where }), {
        where,
        special: "skip",
        absolute: "relative",
      });
      const watch = watchDpkgStatus(settled(tar, where, emit));
      const { layer, inventory } = await buildLayer(watch.entries, store.layers, () => {});
      const packages = watch.packages() ?? [];
      const libcVersion = libcVersionOf(inventory, packages);
      const base: Base = {
        layers: [layer],
        inventory,
        packages,
        key,
        ...(libcVersion === undefined ? {} : { libcVersion }),
      };
      await rememberBuilt(store, base);
      return base;
    }).catch((error: unknown) => {
      throw asSpacktainersError(error, where);
    });
  return { key, layerCount: 1, find, make };
}

/** Paths as they end up; a directory once; links only to what is there. */
async function* settled(entries: EntryStream, where: Place, emit: EmitEvent): EntryStream {
  const tree = makeRootTree();
  let dropped = 0;
  for await (const entry of entries) {
    const path = tree.resolve(entry.path);
    const there = tree.get(path);
    if (there !== undefined) {
      if (entry.type === "directory" && there.type !== "file" && there.type !== "hardlink") continue;
      throw new SpacktainersError("ARCHIVE_INVALID", `the archive has ${printable(path)} twice`, {
        place: where,
      });
    }
    const target = entry.type === "hardlink" ? tree.resolve(entry.target) : undefined;
    if (target !== undefined && !["file", "hardlink"].includes(tree.get(target)?.type ?? "")) {
      dropped++;
      continue;
    }
    for (const parent of tree.missingParents(path)) tree.set(parent, { type: "directory", owner: undefined });
    tree.set(path, {
      type: entry.type,
      owner: undefined,
      ...(entry.type === "symlink" ? { target: entry.target } : {}),
    });
    if (entry.type === "hardlink") yield { ...entry, path, target: target ?? entry.target };
    else yield { ...entry, path };
  }
  if (dropped > 0)
    emit({
      type: "warning",
      code: "NOTICE",
      message: `${dropped} hard links of the root file system lead to devices or to nothing; they were left out`,
      place: where,
    });
}

/** Digest of a file, remembered as long as the file stays as it is. */
async function fileDigest(
  path: string,
  store: BaseStore,
  where: Place,
): Promise<{ digest: Digest; size: number }> {
  const facts = await stat(path).catch((error: unknown) => {
    throw asSpacktainersError(error, where);
  });
  if (!facts.isFile())
    throw new SpacktainersError("BASE_INVALID", "the root file system is not a file", {
      place: where,
      hint: "name a tar file (plain, or compressed with gzip, xz or zstd)",
    });
  const { key, size, isSettled } = await fileState(path);
  const known = await store.read<{ digest: Digest }>("files", key);
  if (known !== undefined) return { digest: known.digest, size };
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  const digest = digestOfHex(hash.digest("hex"));
  if (isSettled) await store.write("files", key, { digest });
  return { digest, size };
}
