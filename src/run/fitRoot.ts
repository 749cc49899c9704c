/**
 * Makes an image's root fit for being started: places for what will be mounted, and files that tell it where it is.
 *
 * They form one more layer, computed here rather than made with shell commands inside the mounted root: an image may have
 * links that lead such commands astray, onto files of the machine.
 */
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import type { Identity } from "./identity.ts";
import { lookUpPath } from "./rootView.ts";
import type { Bind, ContainerProcess } from "./types.ts";
import { tablesWith } from "./userTables.ts";

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
      const found = await lookUpPath(stack, prefix);
      const mode = found.kind === "directory" && found.path === prefix ? found.mode : 0o755;
      additions.set(prefix, { kind: "directory", mode });
    }
  };
  /** Makes sure there is a directory; returns its real path. */
  const directory = async (path: string): Promise<string> => {
    const found = await lookUpPath(stack, path);
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
    const found = await lookUpPath(stack, name).catch(() => undefined);
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
  const found = await lookUpPath(stack, bind.target);
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
  const found = await lookUpPath([outer.source], bind.target.slice(outer.target.length));
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
  const found = await lookUpPath(stack, path).catch(() => undefined);
  return found !== undefined && found.kind !== "file";
}
