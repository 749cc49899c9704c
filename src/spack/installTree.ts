/** An install tree of Spack's: what is installed in it, read from Spack's own database without running Spack. */
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { specfileVersionOf } from "../buildcache/index/openIndex.ts";
import { type ConcreteSpec, type DagHash, parseDagHash } from "../spec/concrete.ts";
import type { Dialect } from "../spec/dialect.ts";
import { dialectOf } from "../spec/format.ts";
import { readNode } from "../spec/readSpecfile.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { readBounded } from "../util/readBounded.ts";

/** What Spack puts into the path of an install tree, again and again, to make it long; the last piece is cut off where it is long enough. */
const placeholder = "__spack_path_placeholder__";

/** A database of 100 000 packages has some 200 MB. */
const largestDatabase = 1 << 30;

/** An install tree. */
export interface InstallTree {
  /** With padding: the folder that has the database. Absolute. */
  readonly root: string;
  /** What `config: install_tree: root:` says. */
  readonly configuredRoot: string;
  /** What `padded_length:` says; 0: nothing. In bytes. */
  readonly paddedLength: number;
  /** The generation of Spack that wrote the database. */
  readonly generation: Dialect;
  /** What the database knows, external packages and such as are not installed any more included. */
  readonly specs: ReadonlyMap<DagHash, ConcreteSpec>;
  /** Prefixes of what is installed here. */
  readonly prefixes: ReadonlyMap<DagHash, string>;
}

/**
 * Reads the install tree that a folder is (with or without its padding), or that a package's prefix is in.
 *
 * @param path absolute
 * @throws SpacktainersError NOT_FOUND when there is none; CACHE_INVALID for a database that cannot be read; NOT_SUPPORTED for one of
 *   an unknown version
 */
export async function readInstallTree(path: string): Promise<InstallTree> {
  const start = await realpath(path).catch(() => path);
  const root = (await below(start)) ?? (await above(start));
  if (root === undefined)
    throw new SpacktainersError("NOT_FOUND", "there is no Spack install tree here", {
      place: { file: path },
      hint: "name the folder that `spack config get config` calls install_tree: root, or the prefix of a package: spack location -i NAME",
    });
  const file = databaseOf(root);
  const place = { file };
  const bytes = await readBounded(file, largestDatabase);
  const { version, installs } = parseDatabase(bytes, place);
  const specfileVersion = specfileVersionOf(version, place);
  const specs = new Map<DagHash, ConcreteSpec>();
  const prefixes = new Map<DagHash, string>();
  for (const [key, record] of Object.entries(installs)) {
    const hash = parseDagHash(key);
    if (hash === undefined || !isJsonObject(record)) continue;
    const spec = readNode(record.spec, { specfileVersion, place, hashIfMissing: hash });
    specs.set(hash, spec);
    if (record.installed === true && spec.external === undefined && typeof record.path === "string")
      prefixes.set(hash, record.path);
  }
  const configuredRoot = withoutPadding(root);
  return {
    root,
    configuredRoot,
    paddedLength: configuredRoot === root ? 0 : Buffer.byteLength(root),
    generation: dialectOf(specfileVersion),
    specs,
    prefixes,
  };
}

function databaseOf(root: string): string {
  return join(root, ".spack-db", "index.json");
}

async function hasDatabase(folder: string): Promise<boolean> {
  return stat(databaseOf(folder)).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

/** The tree at a folder, below its padding. */
async function below(folder: string): Promise<string | undefined> {
  for (let at = folder; ; ) {
    if (await hasDatabase(at)) return at;
    const names = await readdir(at).catch((): string[] => []);
    const next = names.find(isPadding);
    if (next === undefined) return undefined;
    at = join(at, next);
  }
}

/** Whether a piece of a path is one of padding. A slash that would have been the last character is an underscore. */
function isPadding(name: string): boolean {
  if (name === "") return false;
  return placeholder.startsWith(name) || (name.endsWith("_") && placeholder.startsWith(name.slice(0, -1)));
}

/** A root without its padding. */
function withoutPadding(root: string): string {
  let at = root;
  while (isPadding(basename(at))) at = dirname(at);
  return at;
}

async function above(prefix: string): Promise<string | undefined> {
  for (let at = dirname(prefix); ; at = dirname(at)) {
    if (await hasDatabase(at)) return at;
    if (dirname(at) === at) return undefined;
  }
}

function parseDatabase(bytes: Buffer | undefined, place: Place) {
  const fail = (what: string, cause?: unknown): SpacktainersError =>
    new SpacktainersError("CACHE_INVALID", `Spack's database of this install tree cannot be read: ${what}`, {
      place,
      hint: "spack reindex makes it again",
      cause,
    });
  if (bytes === undefined) throw fail("it is too large");
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw fail("it is not JSON", cause);
  }
  const database = isJsonObject(json) ? json.database : undefined;
  if (!isJsonObject(database) || !isJsonObject(database.installs)) throw fail("it has no list of packages");
  const version = Number(database.version);
  if (!Number.isSafeInteger(version)) throw fail("it has no version");
  return { version, installs: database.installs };
}
