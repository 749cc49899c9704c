/** The layer that {@link fitRoot} worked out, on disk: made once, shared by all runs that need an equal one. */
import { chmod, link, lstat, mkdir, readdir, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import type { Addition } from "./fitRoot.ts";
import { madeOnce } from "./madeOnce.ts";
import type { UnpackContext } from "./unpackedLayers.ts";

/**
 * Writes the layer, if an equal one is not there already.
 * @returns its identifier, as those of `stackedLayers`
 * @throws SpacktainersError INTERRUPTED
 */
export async function writeAdditions(
  additions: ReadonlyMap<string, Addition>,
  context: UnpackContext,
): Promise<string> {
  const sorted = [...additions].sort(([a], [b]) => (a < b ? -1 : 1));
  const id = `p${hexOfDigest(digestOf(JSON.stringify(sorted))).slice(0, 32)}`;
  await once(id, context, async (temporary) => {
    const root = join(temporary, "fs");
    await mkdir(root, { recursive: true });
    await place(root, sorted);
  });
  return id;
}

/**
 * For kernels that cannot stack: the image's one directory again, its files shared by hard links, with the additions in place.
 * @returns its identifier
 * @throws SpacktainersError INTERRUPTED
 */
export async function cloneWithAdditions(
  image: string,
  additions: ReadonlyMap<string, Addition>,
  context: UnpackContext,
): Promise<string> {
  const sorted = [...additions].sort(([a], [b]) => (a < b ? -1 : 1));
  const id = `m${hexOfDigest(digestOf(`${image}\n${JSON.stringify(sorted)}`)).slice(0, 32)}`;
  const replaced = new Set(sorted.filter(([, item]) => item.kind === "file").map(([path]) => path));
  const directories = new Set(sorted.filter(([, item]) => item.kind === "directory").map(([path]) => path));
  await once(id, context, async (temporary) => {
    const root = join(temporary, "fs");
    await mkdir(root, { recursive: true });
    const copy = async (path: string): Promise<void> => {
      const from = join(context.directory, image, "fs", path);
      for (const name of await readdir(from)) {
        const inner = path === "" ? name : `${path}/${name}`;
        if (replaced.has(inner)) continue;
        const facts = await lstat(join(from, name));
        if (facts.isDirectory()) {
          await mkdir(join(root, inner), { mode: 0o700 });
          await copy(inner);
          await chmod(join(root, inner), facts.mode & 0o1777);
        } else if (directories.has(inner)) {
          // Hidden by a directory that we add.
        } else if (facts.isSymbolicLink()) await symlink(await readlink(join(from, name)), join(root, inner));
        else await link(join(from, name), join(root, inner));
      }
    };
    await copy("");
    await place(root, sorted);
  });
  return id;
}

async function place(root: string, additions: readonly (readonly [string, Addition])[]): Promise<void> {
  for (const [path, item] of additions) {
    if (item.kind === "directory") await mkdir(join(root, path), { recursive: true });
    else await writeFile(join(root, path), item.content, { mode: item.mode });
  }
  for (const [path, item] of additions) await chmod(join(root, path), item.mode);
}

async function once(
  id: string,
  context: UnpackContext,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = join(context.directory, id);
  await madeOnce(
    {
      lock: join(context.directory, `.${id}.lock`),
      what: "preparing the container's root",
      isThere: () => exists(target),
      make: () => writeAtomically(target, write),
    },
    context,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
