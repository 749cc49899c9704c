/** A base from a root file system in a tar file or in an Apptainer image. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { decompressStream } from "../archive/decompress.ts";
import type { EntryStream } from "../archive/entry.ts";
import { printable } from "../archive/names.ts";
import { readTar } from "../archive/readTar.ts";
import type { Image } from "../image/image.ts";
import { type Digest, digestOfHex } from "../util/digest.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, runTask } from "../util/events.ts";
import { fileState } from "../util/fileState.ts";
import { type BaseStore, baseKeyOf } from "./baseStore.ts";
import { buildLayer, transformationVersion } from "./buildLayer.ts";
import { findBuilt, rememberBuilt } from "./builtBase.ts";
import { watchDpkgStatus } from "./dpkgStatus.ts";
import { baseConfig } from "./imageLayers.ts";
import { libcVersionOf } from "./libc.ts";
import { makeRootTree } from "./rootTree.ts";
import type { Base, BasePlan, BuildBaseOptions, RootfsBaseSpec } from "./types.ts";

/**
 * Finds out which root file system a tar file (plain, gzip, xz or zstd), a SIF or a squashfs file holds, and how to make a layer
 * of it. Devices and FIFOs are left out, with a notice; owners, modes, times and extended attributes are kept. Paths that lead
 * through links to directories are written as what they lead to.
 *
 * @throws SpacktainersError NOT_FOUND; BASE_INVALID for a directory; NOT_SUPPORTED for a SIF file of another architecture; when
 *   made ARCHIVE_INVALID, ARCHIVE_UNSAFE, BASE_INVALID for the archive of an image, RUNTIME_MISSING where squashfs cannot be read
 */
export async function planRootfsBase(
  spec: RootfsBaseSpec,
  options: BuildBaseOptions,
  store: BaseStore,
): Promise<BasePlan> {
  const { emit } = options;
  const where: Place = { file: spec.path };
  const { digest, size } = await fileDigest(spec.path, store, where);
  // What cannot be opened is refused before anything is made.
  await (await options.apptainerImage?.(spec.path))?.close();
  const key = baseKeyOf(["rootfs", transformationVersion, digest]);
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
      const image = await options.apptainerImage?.(spec.path);
      try {
        const special: string[] = [];
        const tar =
          image === undefined
            ? decompressStream(counted(createReadStream(spec.path, { highWaterMark: 2 ** 18 })), { where })
            : filesOf(image);
        const entries = readTar(tar, {
          where,
          special: "skip",
          onSpecial: (path) => special.push(path),
          xattrs: true,
          absolute: "relative",
        });
        const watch = watchDpkgStatus(settled(noImageArchive(entries, where), where, emit));
        const { layer, inventory } = await buildLayer(watch.entries, store.layers, () => {});
        if (special.length > 0)
          emit({
            type: "warning",
            code: "NOTICE",
            message: `left out of the root file system, because runtimes make their own: ${special.length} devices and FIFOs, such as ${printable(special[0] ?? "")}`,
            place: where,
          });
        const packages = watch.packages() ?? [];
        const libcVersion = libcVersionOf(inventory, packages);
        const base: Base = {
          layers: [layer],
          inventory,
          packages,
          key,
          ...(image === undefined ? {} : { config: baseConfig((await image.config()).value) }),
          libcVersion,
        };
        await rememberBuilt(store, base);
        return base;
      } finally {
        await image?.close();
      }
    }).catch((error: unknown) => {
      throw asSpacktainersError(error, where);
    });
  return { key, layerCount: 1, find, make };
}

/** The files of an Apptainer image, as one tar. */
async function* filesOf(image: Image): AsyncGenerator<Uint8Array, void, void> {
  for (const layer of await image.layers()) yield* layer.tar();
}

/** Refuses the archive of an image: its documents and layers are no root file system. */
async function* noImageArchive(entries: EntryStream, where: Place): EntryStream {
  const top = new Set<string>();
  for await (const entry of entries) {
    top.add(entry.path.split("/", 1)[0] ?? "");
    yield entry;
  }
  const isLayout = top.has("oci-layout") && top.has("index.json");
  const isDocker =
    top.has("manifest.json") && [...top].some((name) => /^[0-9a-f]{64}(?:\.json|\.tar)?$/.test(name));
  if (isLayout || isDocker)
    throw new SpacktainersError(
      "BASE_INVALID",
      `this is the archive of an image, with its ${isLayout ? "OCI layout" : "layers"} in it, not a root file system`,
      {
        place: where,
        hint: isLayout
          ? "name it with `base: oci:`"
          : `convert it to a layout for \`base: oci:\`: skopeo copy docker-archive:${where.file ?? ""} oci:DIR`,
      },
    );
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
      message: `left out ${dropped} hard links of the root file system that lead to devices or to nothing`,
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
      hint: "name a tar file (plain, or compressed with gzip, xz or zstd): tar --numeric-owner -C DIR -cf root.tar .",
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
