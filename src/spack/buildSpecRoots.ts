import type { ConcreteSpec } from "../spec/concrete.ts";
import { isJsonObject } from "../util/json.ts";

/**
 * A lock from which Spack also builds what spliced packages are made of. Spack installs a package by its hash only if a root of the
 * environment needs it, and a spliced package does not need the package that it is made of, nor what only that one needs; so those
 * become roots.
 *
 * @param lockText of a lock that was read without errors
 * @param spliced packages whose build specs are to be built
 * @returns the same text where there are none
 */
export function withBuildSpecRoots(lockText: string, spliced: readonly ConcreteSpec[]): string {
  const specs = spliced.flatMap(({ buildSpec }) => buildSpec ?? []);
  if (specs.length === 0) return lockText;
  const lock: unknown = JSON.parse(lockText);
  if (!isJsonObject(lock) || !Array.isArray(lock.roots)) return lockText;
  const known = new Set(lock.roots.map((root) => (isJsonObject(root) ? root.hash : undefined)));
  const added = new Map(specs.filter(({ hash }) => !known.has(hash)).map((spec) => [spec.hash, spec]));
  const roots = [...added.values()].map(({ name, hash }) => ({ hash, spec: `${name} /${hash}` }));
  return JSON.stringify({ ...lock, roots: [...lock.roots, ...roots] });
}
