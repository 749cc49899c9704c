/**
 * Layers of images as directories in which every file belongs to whom it should, for commands that change an image. Kept below
 * `buildroot/` of the cache, by kind of users: `<kind>/<layer>/fs`.
 */
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { EntryStream } from "../archive/entry.ts";
import { formatPaxRecord, xattrKey } from "../archive/pax.ts";
import { blockSize, formatHeader } from "../archive/tarHeader.ts";
import { layerMeaning } from "../archive/unpackEntries.ts";
import { formatEntryHeader, trailerSize, writeTar } from "../archive/writeTar.ts";
import { temporaryPath } from "../util/atomicFile.ts";
import { type Digest, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { hostTag, processIsAlive } from "../util/processes.ts";
import { temporaryOwner } from "../util/temporaryOwner.ts";
import type { IdMap } from "./idMap.ts";
import { runNamespaceScript, startInNamespace } from "./namespaceProcess.ts";

/** A layer that can be read as often as needed. */
export interface LayerSource {
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  /** Its entries, whiteouts and extended attributes included. */
  entries(): EntryStream;
  /** Its bytes, compressed as the media type says. */
  blob(): Promise<LayerBlob>;
}

/** A layer's bytes. */
export interface LayerBlob {
  /** A file that is nothing else; undefined: there is none. */
  readonly path: string | undefined;
  readonly bytes: () => AsyncIterable<Uint8Array>;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
}

/** How layers are unpacked. */
export interface OwnedLayersContext {
  /** The folder `buildroot` of the cache. */
  readonly directory: string;
  readonly map: IdMap;
  readonly signal: AbortSignal | undefined;
}

/** In milliseconds: what was not used for so long is removed. */
const keptFor = 14 * 86_400_000;

/** Without rights to give files away, they all belong to whoever unpacks them. */
const extract = `
exec tar --extract --file=- --directory="$1" --numeric-owner --preserve-permissions "$2" --delay-directory-restore \\
  --xattrs "--xattrs-include=$3" --no-overwrite-dir
`;

/**
 * Unpacks layers, as far as that is not done yet.
 *
 * @returns their directories, in the order of the layers
 * @throws SpacktainersError DISK_FULL, PROCESS_FAILED, INTERRUPTED; of reading them
 */
export async function ownedLayers(
  layers: readonly LayerSource[],
  context: OwnedLayersContext,
): Promise<readonly string[]> {
  const folder = join(context.directory, context.map.kind);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeUnused(folder, context);
  const directories = [];
  for (const layer of layers) {
    const directory = join(folder, hexOfDigest(layer.diffId).slice(0, 32));
    const now = new Date();
    const isThere = await utimes(directory, now, now).then(
      () => true,
      () => false,
    );
    if (!isThere) await unpack(layer, directory, context);
    directories.push(join(directory, "fs"));
  }
  return directories;
}

async function unpack(layer: LayerSource, directory: string, context: OwnedLayersContext): Promise<void> {
  const temporary = temporaryPath(dirname(directory));
  await mkdir(join(temporary, "fs"), { recursive: true, mode: 0o755 });
  try {
    const single = context.map.kind === "single";
    const task = await startInNamespace({
      map: context.map,
      withoutNetwork: false,
      script: extract,
      arguments: [
        join(temporary, "fs"),
        single ? "--no-same-owner" : "--same-owner",
        single ? "user.*" : "*",
      ],
      cwd: temporary,
      input: overlayTar(layer.entries()),
      environment: "",
      onOutput: undefined,
      signal: context.signal,
    });
    for await (const _ of task.output);
    const { status, errors } = await task.finished();
    if (status !== 0) throw unpackFailure(errors, directory);
    await rename(temporary, directory).catch((error: NodeJS.ErrnoException) => {
      // Another run may have been faster.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await removeOwned(temporary, context);
  }
}

function unpackFailure(errors: string, directory: string): SpacktainersError {
  const last = errors.trim().split("\n").at(-1) ?? "";
  if (/No space left|Disk quota/.test(errors))
    return new SpacktainersError("DISK_FULL", "the disk is full", {
      place: { file: directory },
      hint: "free some space, or point XDG_CACHE_HOME at a larger disk; finished work is kept",
    });
  return new SpacktainersError("PROCESS_FAILED", `a layer could not be unpacked: ${last}`, {
    place: { file: directory },
  });
}

/** Removes a tree whose files belong to users of a namespace. */
export async function removeOwned(path: string, { map }: Pick<OwnedLayersContext, "map">): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined) return;
  await rm(path, { recursive: true, force: true }).catch(async () => {
    await runNamespaceScript(map, 'chmod -R u+rwX "$1" 2>/dev/null; exec rm -rf "$1"', [path]);
  });
}

async function removeUnused(folder: string, context: OwnedLayersContext): Promise<void> {
  const names: readonly string[] = await readdir(folder).catch(() => []);
  for (const name of names) {
    const facts = await stat(join(folder, name)).catch(() => undefined);
    const owner = temporaryOwner(name);
    const isAbandoned = owner !== undefined && owner.host === hostTag && !processIsAlive(owner.pid);
    if (isAbandoned || (facts !== undefined && Date.now() - facts.mtimeMs > keptFor))
      await removeOwned(join(folder, name), context).catch(() => {});
  }
}

/**
 * A layer as overlay file systems have it: what is removed as a character device 0:0, a directory that hides all below it by an
 * attribute.
 */
async function* overlayTar(entries: EntryStream): AsyncGenerator<Uint8Array, void, void> {
  const there = new Set<string>();
  const whole = async function* (): EntryStream {
    for await (const entry of entries) {
      const meaning = layerMeaning(entry.path);
      if (meaning.kind === "entry") {
        there.add(entry.path);
        yield entry;
      } else if (meaning.kind === "removed") removed.push(meaning.path);
      else if (meaning.kind === "opaque") opaque.push(meaning.path);
    }
  };
  const removed: string[] = [];
  const opaque: string[] = [];
  yield* writeTar(whole(), { trailer: false });
  // What the layer has itself takes the place of what is removed.
  for (const path of removed) if (!there.has(path)) yield nullDevice(path);
  for (const path of opaque) yield opaqueDirectory(path);
  yield Buffer.alloc(trailerSize);
}

function nullDevice(path: string): Buffer {
  // A link has a header like it, but for the type and the numbers of the device, which are zeros.
  const header = formatEntryHeader({ type: "symlink", path, mode: 0, uid: 0, gid: 0, mtime: 0, target: "" });
  const last = header.subarray(header.length - blockSize);
  last[156] = 0x33;
  sign(last);
  return header;
}

/** The attribute alone: `--no-overwrite-dir` leaves the rest of a directory as it is. */
function opaqueDirectory(path: string): Buffer {
  const record = formatPaxRecord(`${xattrKey}user.overlay.opaque`, "y");
  const body = Buffer.alloc(Math.ceil(record.length / blockSize) * blockSize);
  record.copy(body);
  const pax = Buffer.alloc(blockSize);
  formatHeader(
    {
      name: Buffer.from("PaxHeader/entry"),
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: record.length,
      mtime: 0,
      type: "x",
    },
    pax,
  );
  return Buffer.concat([
    pax,
    body,
    formatEntryHeader({ type: "directory", path, mode: 0o755, uid: 0, gid: 0, mtime: 0 }),
  ]);
}

/** Checksum of a header: the sum of its bytes, those of the sum itself counted as blanks. */
function sign(header: Buffer): void {
  header.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}
