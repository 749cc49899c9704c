import { basename, relative, resolve } from "node:path";
import { readKeyBytes } from "../../openpgp/keyFile.ts";
import { readKeyMaterial } from "../../openpgp/readKeys.ts";
import type { ScaffoldCache, ScaffoldFile } from "../../scaffold/types.ts";
import { SpacktainersError } from "../../util/errors.ts";

/** The caches of a new repository, and the copies of key files that go into it. */
export interface CacheAnswers {
  readonly caches: readonly ScaffoldCache[];
  readonly keys: readonly ScaffoldFile[];
}

/** Which caches were asked for. */
export interface AskedCaches {
  /** URLs or paths. */
  readonly caches: readonly string[];
  /** Paths of key files, trusted for each of them. */
  readonly trust: readonly string[];
  /** Packages need no signatures. */
  readonly unsigned: boolean;
}

/**
 * From what was asked for to what the new configuration says: paths relative to the repository where they are inside, absolute ones
 * elsewhere; key files from elsewhere are copied to `keys/`.
 *
 * @param directory what relative paths start from
 * @param root absolute folder of the repository
 * @throws {SpacktainersError} `USAGE` for caches without keys; `KEY_INVALID` for a file that is no public key
 */
export async function cacheAnswers(
  { caches, trust, unsigned }: AskedCaches,
  directory: string,
  root: string,
): Promise<CacheAnswers> {
  if (caches.length > 0 && trust.length === 0 && !unsigned)
    throw new SpacktainersError("USAGE", "no key is given to verify the packages of the cache", {
      hint: "--trust KEYFILE names the public key; --unsigned uses packages without signatures",
    });
  if (caches.length === 0 && (trust.length > 0 || unsigned))
    throw new SpacktainersError("USAGE", `${unsigned ? "--unsigned" : "--trust"} needs a cache`, {
      hint: "name it with --cache URL",
    });
  const keys: ScaffoldFile[] = [];
  const trusted: string[] = [];
  for (const given of trust) {
    const path = resolve(directory, given);
    const content = await readKeyBytes(path);
    await readKeyMaterial(await import("openpgp"), [{ name: path, content }]);
    const inside = pathInside(root, path);
    const name = inside ?? freeName(keys, basename(path));
    if (inside === undefined) keys.push({ path: name, content });
    trusted.push(name);
  }
  return {
    caches: caches.map((given) => ({ url: cacheUrl(given, directory, root), trust: trusted })),
    keys,
  };
}

function cacheUrl(given: string, directory: string, root: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(given)) return given;
  const path = resolve(directory, given);
  return pathInside(root, path) ?? path;
}

/** A path relative to the repository; undefined where it is elsewhere. */
function pathInside(root: string, path: string): string | undefined {
  const inner = relative(root, path);
  return inner === "" || inner.startsWith("..") ? undefined : inner;
}

/** Two key files may have one name. */
function freeName(taken: readonly ScaffoldFile[], name: string): string {
  const is = (path: string): boolean => taken.some((file) => file.path === path);
  let path = `keys/${name}`;
  for (let number = 2; is(path); number++) path = `keys/${number}-${name}`;
  return path;
}
