/** `spack.lock`: what Spack (or we) decided for an environment. Versions 1 to 8 are read. */
import { inOrderOfPlace } from "../definitions/problems.ts";
import type { Dialect } from "../spec/abstract.ts";
import { type ConcreteSpec, type DagHash, parseDagHash } from "../spec/concrete.ts";
import { formatSpec } from "../spec/format.ts";
import { parseSpec } from "../spec/parse.ts";
import { checkGraph, readNode } from "../spec/readSpecfile.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import { includedRoots } from "./includedEnvironments.ts";
import { modernNodes } from "./legacyLock.ts";
import type { Environment, Lock, LockRoot } from "./types.ts";

/** Most bytes a lock may have. */
export const lockLimit = 256 << 20;

/** Version of the lock to the version of the spec nodes in it. */
const specfileVersions: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [2, 1],
  [3, 2],
  [4, 3],
  [5, 4],
  [6, 5],
  [7, 5],
  [8, 6],
]);

/** The last version of locks that name packages by hashes of their own. */
const lastLegacyVersion = 3;

/** How deeply environments may include one another. */
const deepestInclude = 20;

/**
 * Reads a lock.
 *
 * @param file name for places
 * @throws {SpacktainersError} `LOCK_INVALID` when it is malformed, `NOT_SUPPORTED` when it is too new
 */
export function readLock(text: string, file: string): Lock {
  const place: Place = { file };
  const invalid = (message: string, hint?: string) =>
    new SpacktainersError("LOCK_INVALID", message, hint === undefined ? { place } : { place, hint });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (thrown) {
    throw new SpacktainersError("LOCK_INVALID", "the lock is not JSON", {
      place: jsonPlace(text, file, thrown),
      cause: thrown,
    });
  }
  if (!isJsonObject(json)) throw invalid("the lock is not a JSON object");
  const meta = isJsonObject(json._meta) ? json._meta : {};
  if (meta["file-type"] !== "spack-lockfile")
    throw invalid("the file does not say that it is a lock of Spack (`_meta.file-type`)");
  const version = meta["lockfile-version"];
  if (typeof version !== "number" || !Number.isInteger(version))
    throw invalid("the lock does not say its version (`_meta.lockfile-version`)");
  const specfileVersion = specfileVersions.get(version);
  if (specfileVersion === undefined) {
    if (version < 1) throw invalid(`there are no locks of version ${version}`);
    throw new SpacktainersError("NOT_SUPPORTED", `this program reads locks up to version 8, not ${version}`, {
      place,
      hint: "update this program",
    });
  }
  const graph = new Map<DagHash, ConcreteSpec>();
  const roots: LockRoot[] = [];
  const includedRoots: LockRoot[] = [];
  const read = (part: JsonObject, into: LockRoot[], depth: number) => {
    if (depth > deepestInclude) throw invalid("environments include one another too deeply");
    const specs = part.concrete_specs ?? {};
    if (!isJsonObject(specs)) throw invalid("`concrete_specs` is not an object");
    if (part.roots !== undefined && !Array.isArray(part.roots)) throw invalid("`roots` is not a list");
    const written = (part.roots ?? []).map((root) => readRoot(root, invalid));
    const legacy =
      version > lastLegacyVersion
        ? undefined
        : modernNodes(
            specs,
            version,
            written.map(({ hash }) => hash),
            invalid,
          );
    for (const [key, node] of legacy?.nodes ?? Object.entries(specs)) {
      const hash = parseDagHash(key);
      if (hash === undefined) throw invalid(`\`${key.slice(0, 64)}\` in \`concrete_specs\` is not a hash`);
      const spec = readNode(node, {
        specfileVersion: legacy === undefined ? specfileVersion : 3,
        place,
        hashIfMissing: hash,
        code: "LOCK_INVALID",
      });
      if (spec.hash !== hash) throw invalid(`the spec under \`${hash}\` says its hash is \`${spec.hash}\``);
      graph.set(hash, spec);
    }
    for (const root of written) {
      const hash = legacy === undefined ? root.hash : parseDagHash(legacy.hashOf(root.hash) ?? root.hash);
      if (hash === undefined) throw invalid(`the root \`${root.request}\` has no hash`);
      into.push({ ...root, hash });
    }
    const included = part.include_concrete;
    if (included === undefined) return;
    if (!isJsonObject(included)) throw invalid("`include_concrete` is not an object");
    for (const environment of Object.values(included)) {
      if (!isJsonObject(environment)) throw invalid("an entry of `include_concrete` is not an object");
      read(environment, includedRoots, depth + 1);
    }
  };
  read(json, roots, 0);
  for (const { hash, request } of [...roots, ...includedRoots])
    if (!graph.has(hash)) throw invalid(`the root \`${request}\` (${hash}) is not among the concrete specs`);
  checkGraph(graph, place, "LOCK_INVALID");
  const spack = isJsonObject(json.spack) ? json.spack.version : undefined;
  return {
    file,
    lockVersion: version,
    specfileVersion,
    dialect: specfileVersion >= 5 ? "1.x" : "0.x",
    spackVersion: typeof spack === "string" ? spack : undefined,
    roots,
    includedRoots,
    graph,
  };
}

function readRoot(root: unknown, invalid: (message: string) => SpacktainersError): LockRoot {
  if (!isJsonObject(root)) throw invalid("a root is not an object");
  const { spec, group } = root;
  const hash = typeof root.hash === "string" ? parseDagHash(root.hash) : undefined;
  if (hash === undefined) throw invalid("a root has no hash");
  if (typeof spec !== "string" || spec.length > 10_000) throw invalid(`the root ${hash} has no spec`);
  return { hash, request: spec, group: typeof group === "string" ? group : undefined };
}

/** The line and column that a JSON error names, where it does. */
function jsonPlace(text: string, file: string, thrown: unknown): Place {
  const match = /at position (\d{1,12})/.exec(thrown instanceof Error ? thrown.message : "");
  if (match === null) return { file };
  const before = text.slice(0, Number(match[1]));
  const lineStart = before.lastIndexOf("\n") + 1;
  let line = 1;
  for (let at = before.indexOf("\n"); at >= 0; at = before.indexOf("\n", at + 1)) line++;
  return { file, line, column: before.length - lineStart + 1 };
}

/**
 * What is different between a manifest and its lock: specs that the lock does not have, and roots that the manifest no
 * longer has; likewise roots of included environments. Empty when the lock is up to date. Order does not matter; two writings of
 * one spec are the same.
 *
 * @returns problems with code `LOCK_STALE`; the caller decides whether they are errors
 */
export function lockStaleness(lock: Lock, environment: Environment): readonly SpacktainersError[] {
  const stale: SpacktainersError[] = [];
  const tell = (message: string, place: Place) =>
    stale.push(
      new SpacktainersError("LOCK_STALE", message, {
        place,
        hint: "run `spacktainers lock` to write it again",
      }),
    );
  const locked = new Set(lock.roots.map(({ request }) => canonical(request, lock.dialect)));
  const wanted = new Set<string>();
  for (const { text, spec, place } of environment.specs) {
    // A toolchain stands in locks by its name, or as what it stands for.
    const keys = [
      canonical(text, lock.dialect),
      ...(environment.dialect === lock.dialect ? [formatSpec(spec, lock.dialect)] : []),
    ];
    if (!keys.some((key) => locked.has(key))) tell(`the lock does not have \`${text}\``, place);
    for (const key of keys) wanted.add(key);
  }
  for (const root of lock.roots)
    if (!wanted.has(canonical(root.request, lock.dialect)))
      tell(`the lock has \`${root.request}\`, the manifest does not`, { file: lock.file });
  const included = includedRoots(environment.included);
  for (const environmentRoot of included)
    if (!lock.includedRoots.some(({ hash }) => hash === environmentRoot.hash))
      tell(`the lock does not have \`${environmentRoot.request}\` of an included environment`, {
        file: lock.file,
      });
  for (const root of lock.includedRoots)
    if (!included.some(({ hash }) => hash === root.hash))
      tell(`the lock has \`${root.request}\` of an environment that is no longer included`, {
        file: lock.file,
      });
  return inOrderOfPlace(stale);
}

/** A spec in Spack's own writing; the text itself where it cannot be parsed in this dialect. */
function canonical(text: string, dialect: Dialect): string {
  try {
    return formatSpec(parseSpec(text, { dialect }), dialect);
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) return text;
    throw thrown;
  }
}
