/** The folder that the builder image is built in, with what it gets from this machine. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { spackHome } from "../../spack/folders.ts";
import { openCheckout } from "../../spack/gitCheckout.ts";
import { spackSource } from "../../spack/spack.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { removeTree } from "../../util/removeTree.ts";
import type { BuilderSources } from "./builderSources.ts";

/** A folder to build in. */
export interface BuilderContext {
  readonly folder: string;
  /** Removes it, where it was made for this. */
  close(): Promise<void>;
}

/**
 * The builder's own folder; where it needs something of this machine, a copy of it in the machine's folder for temporary files, with that
 * beside the Dockerfile.
 *
 * @throws SpacktainersError as `openCheckout`
 */
export async function builderContext(
  folder: string,
  { handed, wheels }: Pick<BuilderSources, "handed" | "wheels">,
  { emit, signal }: { readonly emit: EmitEvent; readonly signal: AbortSignal },
): Promise<BuilderContext> {
  if (handed.length === 0 && wheels === undefined) return { folder, close: () => Promise.resolve() };
  const copy = await mkdtemp(join(tmpdir(), "spacktainers-builder-"));
  const close = (): Promise<void> => removeTree(copy);
  try {
    await copyFiles(folder, copy);
    for (const { name, source, what } of handed) {
      const checkout = await openCheckout(what === "Spack" ? await spackSource(source) : source, what, {
        directory: join(spackHome(), "git"),
        emit,
        signal,
      });
      await copyFiles(checkout.folder, join(copy, name));
    }
    if (wheels !== undefined) await copyFiles(wheels, join(copy, "wheels"));
    return { folder: copy, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Copies what git would keep of a folder, or all of it where git knows nothing of it: no store of a Spack that is in use. */
async function copyFiles(folder: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  // Of a link to a folder, `cp` would copy the link.
  const from = await realpath(folder);
  const kept = await keptPaths(from);
  await cp(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) =>
      ![".git", "__pycache__"].includes(basename(path)) && (kept?.has(relative(from, path)) ?? true),
  });
}

/** Most that a list of files may have, in bytes: a million of them. */
const mostListed = 2 ** 26;

/** Files and folders that git would keep, relative to the folder; undefined where git knows nothing of it. */
async function keptPaths(folder: string): Promise<ReadonlySet<string> | undefined> {
  const args = ["-C", folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = await promisify(execFile)("git", args, { maxBuffer: mostListed }).then(
    ({ stdout }) => stdout,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return undefined;
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        `${folder} has too many files to be copied into an image`,
        {
          place: { file: folder },
        },
      );
    },
  );
  if (listed === undefined) return undefined;
  const kept = new Set([""]);
  for (const path of listed.split("\0"))
    for (let at = path; at !== "" && at !== "."; at = dirname(at)) kept.add(at);
  return kept;
}
