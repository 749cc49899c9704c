/**
 * Locks of versions 1 to 3 (Spack 0.17 and older). They name packages by hashes that Spack no longer makes; the nodes say by
 * which ones they are known otherwise. Several nodes may be one package: they differ in what it was built with only.
 */
import { isJsonObject, type Json, type JsonObject } from "../util/json.ts";

/** A node as later versions write it, and the hash that it is known by. */
interface ModernNode {
  readonly hash: string;
  readonly node: JsonObject;
}

/** The nodes of an old lock as those of a newer one. */
export interface ModernNodes {
  /** By the hash that the packages are known by; of several nodes the first that the roots reach. */
  readonly nodes: ReadonlyMap<string, JsonObject>;
  /** The hash that a package is known by, by the lock's own hash of it. */
  readonly hashOf: (key: string) => string | undefined;
}

/** Hashes by which a dependency may be named, in the order in which they are looked for. */
const hashNames = ["hash", "package_hash", "full_hash", "build_hash"] as const;

/**
 * Brings the nodes of a lock of version 1 to 3 into the form of spec files of version 3.
 *
 * @param roots the lock's own hashes of the roots, in order
 * @param invalid makes the error that is thrown when something breaks a rule of the format
 */
export function modernNodes(
  specs: JsonObject,
  version: number,
  roots: readonly string[],
  invalid: (message: string) => Error,
): ModernNodes {
  const byKey = new Map<string, ModernNode>();
  const dependencies = new Map<string, readonly OldDependency[]>();
  for (const [key, json] of Object.entries(specs)) {
    const { name, data } = nameAndData(json, version, key, invalid);
    dependencies.set(key, dependenciesOf(data, version, name, invalid));
    const { hash } = data;
    byKey.set(key, { hash: typeof hash === "string" ? hash : key, node: { ...data, name } });
  }
  const nodes = new Map<string, JsonObject>();
  const seen = new Set(roots);
  for (const key of seen) {
    const found = byKey.get(key);
    if (found === undefined) continue;
    const edges = dependencies.get(key) ?? [];
    for (const edge of edges) seen.add(edge.key);
    if (nodes.has(found.hash)) continue;
    nodes.set(found.hash, {
      ...found.node,
      hash: found.hash,
      dependencies: edges.map(({ name, key: target, types }) => {
        const hash = byKey.get(target)?.hash;
        if (hash === undefined)
          throw invalid(`the dependency ${name} of ${found.hash} is not among the specs`);
        return { name, hash, type: types };
      }),
    });
  }
  return { nodes, hashOf: (key) => byKey.get(key)?.hash };
}

/** Versions 1 and 2 have the name as a key around the node. */
function nameAndData(
  json: Json | undefined,
  version: number,
  key: string,
  invalid: (message: string) => Error,
): { readonly name: string; readonly data: JsonObject } {
  const wrong = () => invalid(`the spec ${key.slice(0, 64)} is not as locks of version ${version} have it`);
  if (!isJsonObject(json)) throw wrong();
  if (version > 2) {
    if (typeof json.name !== "string") throw wrong();
    return { name: json.name, data: json };
  }
  const [name, ...more] = Object.keys(json);
  const data = name === undefined ? undefined : json[name];
  if (name === undefined || more.length > 0 || !isJsonObject(data)) throw wrong();
  return { name, data };
}

/** A dependency by the lock's own hash of it. */
interface OldDependency {
  readonly name: string;
  readonly key: string;
  readonly types: Json;
}

function dependenciesOf(
  { dependencies }: JsonObject,
  version: number,
  of: string,
  invalid: (message: string) => Error,
): readonly OldDependency[] {
  const wrong = () => invalid(`the dependencies of ${of} are not as locks of version ${version} have them`);
  if (dependencies === undefined) return [];
  const read = (name: Json | undefined, json: Json | undefined): OldDependency => {
    if (typeof name !== "string" || !isJsonObject(json)) throw wrong();
    const key = hashNames.map((each) => json[each]).find((each) => each !== undefined);
    if (typeof key !== "string" || json.type === undefined) throw wrong();
    return { name, key, types: json.type };
  };
  if (version > 2) {
    if (!Array.isArray(dependencies)) throw wrong();
    return dependencies.map((json) => read(isJsonObject(json) ? json.name : undefined, json));
  }
  if (!isJsonObject(dependencies)) throw wrong();
  return Object.entries(dependencies).map(([name, json]) => read(name, json));
}
