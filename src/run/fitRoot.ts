/**
 * Makes an image's root fit for being started: places for what will be mounted, and files that tell it where it is.
 *
 * They form one more layer, computed here rather than made with shell commands inside the mounted root: an image may have
 * links that lead such commands astray, onto files of the machine.
 */
import {
  chmod,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { Identity } from "./identity.ts";
import { lookUp } from "./rootView.ts";
import type { Bind, ContainerProcess } from "./types.ts";

/** One thing in the layer. Paths are relative to the root and free of links. */
export type Addition =
  | { readonly kind: "directory"; readonly mode: number }
  | { readonly kind: "file"; readonly mode: number; readonly content: string };

/** A bind whose place in the container is known and free of links. */
export interface PlacedBind {
  readonly source: string;
  /** Relative to the root. */
  readonly path: string;
  readonly readOnly: boolean;
  /** What the runner has to make first, in a file system that is empty at the start: nothing, a directory, or a file. */
  readonly make: "" | "directory" | "file";
}

/** What {@link fitRoot} found out. */
export interface FittedRoot {
  readonly additions: ReadonlyMap<string, Addition>;
  readonly binds: readonly PlacedBind[];
  /** Directories, relative to the root, that stay writable when the root is not: file systems of their own. */
  readonly temporary: readonly string[];
  /** Home directory of the container's user. */
  readonly home: string;
}

/** Mounted over, so they must be directories of the root itself. */
const mounted = ["proc", "sys", "dev"];

/**
 * @param stack the image's directories, from bottom to top
 * @param files content by path, to be put in place
 * @param user who the program is; undefined where the runtime sees to what a user needs. What it needs: to be in the tables of
 *   users and groups (PMIx, ssh and many others look themselves up), and a home directory of its own.
 * @throws SpacktainersError USAGE (something cannot be where it is asked for), NOT_FOUND (a place inside another bind)
 */
export async function fitRoot(
  stack: readonly string[],
  container: ContainerProcess,
  files: ReadonlyMap<string, string>,
  user: Identity | undefined,
): Promise<FittedRoot> {
  const additions = new Map<string, Addition>();
  const reach = async (path: string): Promise<void> => {
    const parts = path.split("/").filter((part) => part !== "");
    for (let n = 1; n <= parts.length; n++) {
      const prefix = parts.slice(0, n).join("/");
      if (additions.has(prefix)) continue;
      const found = await lookUp(stack, prefix);
      const mode = found.kind === "directory" && found.path === prefix ? found.mode : 0o755;
      additions.set(prefix, { kind: "directory", mode });
    }
  };
  /** Makes sure there is a directory; returns its real path. */
  const directory = async (path: string): Promise<string> => {
    const found = await lookUp(stack, path);
    if (found.kind === "file")
      throw new SpacktainersError("USAGE", `${path} in the image is not a directory`);
    if (found.kind === "missing") await reach(found.path);
    return found.path;
  };
  const file = async (path: string, content: string): Promise<string> => {
    const parent = await directory(dirname(`/${path}`));
    await reach(parent);
    const real = [parent, path.slice(path.lastIndexOf("/") + 1)].filter((part) => part !== "").join("/");
    additions.set(real, { kind: "file", mode: 0o644, content });
    return real;
  };

  for (const name of mounted) {
    const found = await lookUp(stack, name).catch(() => undefined);
    if (found?.kind !== "directory" || found.path !== name)
      additions.set(name, { kind: "directory", mode: 0o755 });
  }
  const temporary: string[] = [];
  for (const path of ["tmp", "var/tmp", "run"]) temporary.push(await directory(path));
  for (const path of ["tmp", "var/tmp"])
    if (additions.has(path)) additions.set(path, { kind: "directory", mode: 0o1777 });
  for (const [path, content] of files) await file(path, content);
  const tables = user === undefined ? undefined : await tablesWith(stack, user);
  for (const [path, content] of tables?.files ?? []) await file(path, content);
  const wanted = tables?.home ?? "/root";
  const home = isMountedOver(wanted) || !(await isDirectoryOrMissing(stack, wanted)) ? "/" : wanted;
  await directory(home);

  const fresh = ["dev", ...(container.readOnly ? temporary : [])];
  const placed: (PlacedBind & { readonly target: string })[] = [];
  for (const bind of byDepth(container.binds)) {
    const kind = (await stat(bind.source)).isDirectory() ? "directory" : "file";
    const outer = placed.findLast((other) => bind.target.startsWith(`${other.target}/`));
    const inFresh = fresh.some((path) => bind.target.startsWith(`/${path}/`));
    let path: string;
    if (outer !== undefined) path = await placeInside(outer, bind, kind);
    else if (inFresh) path = bind.target.slice(1);
    else path = await placeInRoot(stack, bind, kind, directory, file);
    const make = outer === undefined && inFresh ? kind : "";
    placed.push({ source: bind.source, path, readOnly: bind.readOnly, make, target: bind.target });
  }
  const inBind = placed.some(
    (bind) => container.workdir === bind.target || container.workdir.startsWith(`${bind.target}/`),
  );
  if (!inBind) await directory(container.workdir);
  return { additions, binds: placed, temporary, home };
}

function byDepth(binds: readonly Bind[]): readonly Bind[] {
  const depth = (bind: Bind): number => bind.target.split("/").length;
  return [...binds].sort((a, b) => depth(a) - depth(b));
}

async function placeInRoot(
  stack: readonly string[],
  bind: Bind,
  kind: "directory" | "file",
  directory: (path: string) => Promise<string>,
  file: (path: string, content: string) => Promise<string>,
): Promise<string> {
  const found = await lookUp(stack, bind.target);
  if (found.path === "" || found.path === "proc" || found.path.startsWith("proc/"))
    throw new SpacktainersError("USAGE", `nothing can be bound to the container's /${found.path}`);
  if (found.kind === "missing") return kind === "directory" ? directory(found.path) : file(found.path, "");
  if (found.kind !== kind)
    throw new SpacktainersError(
      "USAGE",
      `${bind.target} in the image is a ${found.kind}, the source a ${kind}`,
      {
        place: { file: bind.source },
      },
    );
  return found.path;
}

/** A bind inside another bind: its place is on this machine, where nothing is made. */
async function placeInside(
  outer: PlacedBind & { readonly target: string },
  bind: Bind,
  kind: "directory" | "file",
): Promise<string> {
  const found = await lookUp([outer.source], bind.target.slice(outer.target.length));
  if (found.kind !== kind)
    throw new SpacktainersError(
      "NOT_FOUND",
      `${bind.target} is inside another bind, where there is no such ${kind}`,
      {
        place: { file: join(outer.source, found.path) },
        hint: "make it on this machine first",
      },
    );
  return `${outer.path}/${found.path}`;
}

function isMountedOver(path: string): boolean {
  return mounted.includes(path.split("/")[1] ?? "");
}

async function isDirectoryOrMissing(stack: readonly string[], path: string): Promise<boolean> {
  const found = await lookUp(stack, path).catch(() => undefined);
  return found !== undefined && found.kind !== "file";
}

/** The image's tables of users and groups with this user in them, as far as they have to be changed, and the user's home. */
async function tablesWith(
  stack: readonly string[],
  { uid, gid, name, home }: Identity,
): Promise<{ readonly home: string; readonly files: ReadonlyMap<string, string> }> {
  const users = await textOf(stack, "etc/passwd");
  const known = rowOf(users, uid);
  // Root is the image's matter, home and all; that of others is where it is on this machine.
  if (uid === 0) return { home: absoluteOr(known?.[5], "/root"), files: new Map() };
  const files = new Map<string, string>();
  if (known === undefined)
    files.set("etc/passwd", withRow(users, `${name}:x:${uid}:${gid}:${name}:${home}:/bin/sh`));
  const groups = await textOf(stack, "etc/group");
  if (rowOf(groups, gid) === undefined) files.set("etc/group", withRow(groups, `${name}:x:${gid}:`));
  return { home: absoluteOr(home, "/"), files };
}

function absoluteOr(path: string | undefined, other: string): string {
  return path?.startsWith("/") === true ? path : other;
}

/** Fields of the row with this number, which is the third of them in both tables. */
function rowOf(table: string, number: number): readonly string[] | undefined {
  return table
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[2] === String(number));
}

function withRow(table: string, row: string): string {
  return `${table}${table === "" || table.endsWith("\n") ? "" : "\n"}${row}\n`;
}

async function textOf(stack: readonly string[], path: string): Promise<string> {
  const found = await lookUp(stack, path).catch(() => undefined);
  return found?.kind === "file" ? readFile(found.file, "utf8").catch(() => "") : "";
}

/**
 * Writes the layer below `directory`, if an equal one is not there already.
 * @returns its identifier, as those of `stackedLayers`
 */
export async function writeAdditions(
  directory: string,
  additions: ReadonlyMap<string, Addition>,
): Promise<string> {
  const sorted = [...additions].sort(([a], [b]) => (a < b ? -1 : 1));
  const id = `p${hexOfDigest(digestOf(JSON.stringify(sorted))).slice(0, 32)}`;
  await once(join(directory, id), async (temporary) => {
    const root = join(temporary, "fs");
    await mkdir(root, { recursive: true });
    await place(root, sorted);
  });
  return id;
}

/**
 * For kernels that cannot stack: the image's one directory again, its files shared by hard links, with the additions in place.
 * @returns its identifier
 */
export async function cloneWithAdditions(
  directory: string,
  image: string,
  additions: ReadonlyMap<string, Addition>,
): Promise<string> {
  const sorted = [...additions].sort(([a], [b]) => (a < b ? -1 : 1));
  const id = `m${hexOfDigest(digestOf(`${image}\n${JSON.stringify(sorted)}`)).slice(0, 32)}`;
  const replaced = new Set(sorted.filter(([, item]) => item.kind === "file").map(([path]) => path));
  const directories = new Set(sorted.filter(([, item]) => item.kind === "directory").map(([path]) => path));
  await once(join(directory, id), async (temporary) => {
    const root = join(temporary, "fs");
    await mkdir(root, { recursive: true });
    const copy = async (path: string): Promise<void> => {
      const from = join(directory, image, "fs", path);
      for (const name of await readdir(from)) {
        const inner = path === "" ? name : `${path}/${name}`;
        if (replaced.has(inner)) continue;
        const facts = await lstat(join(from, name));
        if (facts.isDirectory()) {
          await mkdir(join(root, inner), { mode: 0o700 });
          await copy(inner);
          await chmod(join(root, inner), facts.mode & 0o1777);
        } else if (directories.has(inner)) {
          // Hidden by a directory of ours.
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

async function once(target: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const known = await stat(target).catch(() => undefined);
  if (known !== undefined) return;
  await writeAtomically(target, write).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
}
