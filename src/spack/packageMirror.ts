/**
 * A build cache on this machine that Spack reads: what the configured caches have, whatever their kind and place. For choosing it
 * has their index; for building, the packages that are needed, verified by us. So Spack needs no keys, no credentials and no
 * client of object stores.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { packagePaths, v2FixedPaths as v2Paths } from "../buildcache/formats/v2/paths.ts";
import { blobPath, manifestPath, v3FixedPaths as v3Paths } from "../buildcache/formats/v3/paths.ts";
import type { CachedPackage, CacheIndex } from "../buildcache/types.ts";
import { writeNode } from "../environment/writeLock.ts";
import type { Dialect } from "../spec/abstract.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";
import { temporaryPath } from "../util/atomicFile.ts";
import { type Digest, digestOf, digestOfHex, hexOfDigest } from "../util/digest.ts";
import { stopIfAborted } from "../util/interruption.ts";
import type { JsonObject } from "../util/json.ts";

/** Versions of what each generation of Spack reads. */
const formats: Readonly<Record<Dialect, { readonly specfile: number; readonly database: string }>> = {
  "0.x": { specfile: 4, database: "7" },
  "1.x": { specfile: 5, database: "8" },
};

/** An entry of `mirrors:` for a folder of packages whose signatures we have checked. */
export function packageMirror(folder: string): JsonObject {
  return { url: `file://${encodeURI(folder)}`, signed: false, source: false, binary: true };
}

/** A package and its archive on this machine, verified. */
export interface MirroredPackage {
  readonly cached: CachedPackage;
  /** Absolute path of the archive. */
  readonly archive: string;
}

/**
 * Writes the index of a mirror.
 *
 * @param folder of the mirror
 * @param index of all caches together
 * @returns packages in it that can be reused
 */
export async function writeMirrorIndex(
  folder: string,
  index: CacheIndex,
  dialect: Dialect,
  signal?: AbortSignal,
): Promise<number> {
  const { database, specfile } = formats[dialect];
  await mkdir(folder, { recursive: true });
  const unfinished = temporaryPath(folder);
  const out = createWriteStream(unfinished, { flags: "wx" });
  const hash = createHash("sha256");
  let size = 0;
  let reusable = 0;
  const write = async (text: string): Promise<void> => {
    hash.update(text);
    size += Buffer.byteLength(text);
    if (!out.write(text)) await once(out, "drain");
  };
  try {
    await write(`{"database":{"version":"${database}","installs":{`);
    let first = true;
    for (const { spec, downloadable } of closedSpecs(index, dialect)) {
      stopIfAborted(signal);
      if (downloadable) reusable++;
      const record = { spec: writeNode(spec, specfile), ref_count: 0, in_buildcache: downloadable };
      await write(`${first ? "" : ","}\n"${spec.hash}":${JSON.stringify(record)}`);
      first = false;
    }
    await write("}}}\n");
    out.end();
    await once(out, "finish");
    const digest = digestOfHex(hash.digest("hex"));
    if (dialect === "0.x") {
      await place(unfinished, join(folder, v2Paths.index));
      await writeFile(join(folder, v2Paths.indexHash), hexOfDigest(digest));
    } else {
      await place(unfinished, join(folder, blobPath(digest)));
      await writeLayout3(folder);
      await writeInto(
        join(folder, v3Paths.indexManifest),
        JSON.stringify({
          version: 3,
          data: [record3(digest, size, `application/vnd.spack.db.v${database}+json`, "none")],
        }),
      );
    }
    return reusable;
  } finally {
    // A file that is still being made would appear after it was removed.
    if (!out.closed) {
      out.destroy();
      await once(out, "close").catch(() => {});
    }
    await rm(unfinished, { force: true });
  }
}

/**
 * What an index has, such that everything it depends on is there: Spack refuses an index in which something is missing. What was
 * only needed to build may be missing, and is then left out.
 */
function* closedSpecs(
  index: CacheIndex,
  dialect: Dialect,
): Generator<{ readonly spec: ConcreteSpec; readonly downloadable: boolean }> {
  const usable = new Map<DagHash, ConcreteSpec | undefined>();
  const check = (hash: DagHash): ConcreteSpec | undefined => {
    if (usable.has(hash)) return usable.get(hash);
    // Against circles, which no index should have.
    usable.set(hash, undefined);
    const spec = index.spec(hash);
    if (spec === undefined || (dialect === "0.x" && spec.specfileVersion > 4) || spec.buildSpec !== undefined)
      return undefined;
    const dependencies: ConcreteSpec["dependencies"][number][] = [];
    for (const edge of spec.dependencies) {
      if (check(edge.hash) !== undefined) dependencies.push(edge);
      else if (edge.types.has("link") || edge.types.has("run")) return undefined;
    }
    const closed = dependencies.length === spec.dependencies.length ? spec : { ...spec, dependencies };
    usable.set(hash, closed);
    return closed;
  };
  for (const name of index.names()) for (const hash of index.hashesOf(name)) check(hash);
  for (const spec of usable.values())
    if (spec !== undefined) yield { spec, downloadable: spec.external === undefined && index.has(spec.hash) };
}

/**
 * Puts packages into a mirror: links to their archives, and metadata without a signature.
 */
export async function addToMirror(
  folder: string,
  packages: readonly MirroredPackage[],
  dialect: Dialect,
): Promise<void> {
  const { specfile } = formats[dialect];
  if (packages.length > 0 && dialect === "1.x") await writeLayout3(folder);
  for (const { cached, archive } of packages) {
    const nodes = nodesOf(cached.spec, cached.graph).map((spec) => writeNode(spec, specfile));
    const document = { spec: { _meta: { version: specfile }, nodes }, buildcache_layout_version: 2 };
    if (dialect === "0.x") {
      const [paths] = packagePaths(cached.spec, (hash) => cached.graph.get(hash));
      if (paths === undefined) continue;
      await linkTo(archive, join(folder, paths.archive));
      const checksum = { hash_algorithm: "sha256", hash: hexOfDigest(cached.digest) };
      await writeInto(
        join(folder, paths.unsigned),
        JSON.stringify({ ...document, binary_cache_checksum: checksum }),
      );
      continue;
    }
    await linkTo(archive, join(folder, blobPath(cached.digest)));
    const metadata = await promisify(gzip)(JSON.stringify(document));
    const digest = digestOf(metadata);
    await writeInto(join(folder, blobPath(digest)), metadata);
    const { size } = await stat(archive);
    await writeInto(
      join(folder, manifestPath(cached.spec)),
      JSON.stringify({
        version: 3,
        data: [
          record3(cached.digest, size, "application/vnd.spack.install.v2.tar+gzip", "gzip"),
          record3(digest, metadata.length, `application/vnd.spack.spec.v${specfile}+json`, "gzip"),
        ],
      }),
    );
  }
}

/** A spec and everything below it, itself first. */
function nodesOf(root: ConcreteSpec, graph: SpecGraph): readonly ConcreteSpec[] {
  const found = new Map([[root.hash, root]]);
  for (const spec of found.values())
    for (const { hash } of spec.dependencies) {
      const dependency = graph.get(hash);
      if (dependency !== undefined && !found.has(hash)) found.set(hash, dependency);
    }
  return [...found.values()].map((spec) => ({
    ...spec,
    dependencies: spec.dependencies.filter(({ hash }) => found.has(hash)),
  }));
}

function record3(digest: Digest, size: number, mediaType: string, compression: string): JsonObject {
  return {
    contentLength: size,
    mediaType,
    compression,
    checksumAlgorithm: "sha256",
    checksum: hexOfDigest(digest),
  };
}

async function writeLayout3(folder: string): Promise<void> {
  await writeInto(join(folder, v3Paths.layout), JSON.stringify({ signing: "gpg" }));
}

async function writeInto(path: string, data: string | Uint8Array): Promise<void> {
  const before = await readFile(path).catch(() => undefined);
  if (before?.equals(Buffer.from(data)) === true) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, data);
}

async function place(unfinished: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rename(unfinished, path);
}

async function linkTo(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await symlink(target, path);
}
