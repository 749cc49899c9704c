// What a release is made of besides our own files, each held against its digest. Finished downloads are kept below the cache home.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const built = (file) => import(join(root, "build", file));

/** `packaging/release.json`: versions, places and digests. */
export const inputs = JSON.parse(readFileSync(join(root, "packaging/release.json"), "utf8"));

/**
 * A package of npm, from the registry that npm is set up for.
 * @param {string} name
 * @param {string} version
 * @param {string} integrity as in `package-lock.json`: `sha512-…`
 * @returns {Promise<Map<string, { mode: number, bytes: Buffer }>>} its files, by their path in the package
 */
export async function npmPackage(name, version, integrity) {
  const file = await kept(integrity, (folder) => {
    const options = ["--silent", "--ignore-scripts", "--json", "--pack-destination", folder];
    const packed = execFileSync("npm", ["pack", ...options, `${name}@${version}`], {
      encoding: "utf8",
      cwd: folder,
    });
    return readFileSync(join(folder, JSON.parse(packed)[0].filename));
  });
  const { decompressStream } = await built("archive/decompress.js");
  return filesOf(decompressStream(oneChunk(file), { where: {} }), (path) => path.replace(/^[^/]+\//, ""));
}

/**
 * A package of Debian.
 * @param {{ file: string, sha256: string }} source its path in the archive
 * @returns {Promise<Map<string, { mode: number, bytes: Buffer }>>} its files, by their path without the first slash
 */
export async function debianPackage({ file, sha256 }) {
  const integrity = `sha256-${Buffer.from(sha256, "hex").toString("base64")}`;
  const bytes = await kept(integrity, async () => {
    const { publicFileUrl } = await built("base/debian/mirrors.js");
    const url = publicFileUrl("debian", "amd64", "main", file);
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  });
  const { listAr } = await built("archive/ar.js");
  const members = await listAr(async (at, length) => bytes.subarray(at, at + length), bytes.length);
  const data = members.find(({ name }) => name.startsWith("data.tar"));
  if (data === undefined) throw new Error(`${file} has no files`);
  const { decompressStream } = await built("archive/decompress.js");
  const part = bytes.subarray(data.offset, data.offset + data.size);
  return filesOf(decompressStream(oneChunk(part), { where: {} }), (path) => path);
}

/** The bytes with this digest: kept from an earlier run, or brought by `get`, and then kept. */
async function kept(integrity, get) {
  const [algorithm, digest] = [
    integrity.slice(0, integrity.indexOf("-")),
    integrity.slice(integrity.indexOf("-") + 1),
  ];
  const digestOf = (bytes) => createHash(algorithm).update(bytes).digest("base64");
  const { cacheHome } = await built("util/cacheHome.js");
  const folder = join(cacheHome(), "release");
  const path = join(folder, Buffer.from(digest, "base64").toString("hex"));
  mkdirSync(folder, { recursive: true });
  if (existsSync(path)) {
    const bytes = readFileSync(path);
    if (digestOf(bytes) === digest) return bytes;
  }
  const work = mkdtempSync(join(folder, "part-"));
  try {
    const bytes = await get(work);
    if (digestOf(bytes) !== digest)
      throw new Error(
        `what came is not what was asked for: ${integrity} was expected, ${digestOf(bytes)} came`,
      );
    writeFileSync(join(work, "whole"), bytes);
    renameSync(join(work, "whole"), path);
    return bytes;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function* oneChunk(bytes) {
  yield bytes;
}

async function filesOf(chunks, nameOf) {
  const { readTar } = await built("archive/readTar.js");
  const files = new Map();
  for await (const entry of readTar(chunks, { where: {} })) {
    if (entry.type !== "file") continue;
    const parts = [];
    for await (const part of entry.content) parts.push(part);
    files.set(nameOf(entry.path), { mode: entry.mode, bytes: Buffer.concat(parts) });
  }
  return files;
}
