/** The files that a Dockerfile can copy: a folder, without what its ignore file leaves out. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { fileSystemPath, nameOfBytes } from "../archive/names.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";
import { type PathPatterns, parseIgnoreFile } from "./ignoreFile.ts";
import { cleanPath, hasWildcards, pathMatcher } from "./pathPattern.ts";

/** Something in a build context. */
export interface ContextNode {
  /** Relative to the context, with slashes; empty for the context itself. */
  readonly path: string;
  readonly type: "directory" | "file" | "symlink" | "special";
  /** Permission bits. */
  readonly mode: number;
  /** Bytes; 0 for all but files. */
  readonly size: number;
  /** Text of a symbolic link. */
  readonly target: string | undefined;
}

/** A source that was found: what it is, and the name it goes by. */
export interface ContextSource {
  /** As asked for: a link's own name. */
  readonly name: string;
  /** What the name leads to. */
  readonly node: ContextNode;
}

/** Why a source cannot be had. */
export interface SourceProblem {
  readonly problem: string;
  readonly hint: string | undefined;
}

/** A build context, its tree read; contents are read when they are asked for. */
export interface BuildContext {
  /** Absolute. */
  readonly directory: string;
  /** What is directly in a directory, sorted. */
  children(path: string): readonly ContextNode[];
  /**
   * What a source of COPY names: one file or directory, or all that a pattern matches, sorted. Symbolic links are followed, not out
   * of the context.
   */
  find(source: string): readonly ContextSource[] | SourceProblem;
  /** A file's bytes. */
  read(node: ContextNode): AsyncIterable<Uint8Array>;
}

/** Files and folders that a context has at most. */
const mostNodes = 200_000;
const longestIgnoreFile = 1 << 20;
const mostLinks = 40;

/**
 * Reads the tree of a build context.
 *
 * @param directory of the context
 * @param ignoreFiles names of ignore files in it; the first that is there is used
 * @throws SpacktainersError DEFINITION_INVALID (a wrong pattern, with its line; more files than a context may have); of the system
 */
export async function openBuildContext(
  directory: string,
  ignoreFiles: readonly string[],
): Promise<BuildContext> {
  const ignored = await readIgnoreFile(directory, ignoreFiles);
  const nodes = new Map<string, ContextNode>();
  const children = new Map<string, ContextNode[]>();
  try {
    await readTree("", { directory, ignored, nodes, children });
  } catch (error) {
    throw asSpacktainersError(error, { file: directory });
  }
  const root: ContextNode = { path: "", type: "directory", mode: 0o755, size: 0, target: undefined };
  nodes.set("", root);
  return {
    directory,
    children: (path) => children.get(path) ?? [],
    find: (source) => findSource(source, nodes, children),
    read: (node) => createReadStream(fileSystemPath(join(directory, node.path)), { highWaterMark: 1 << 18 }),
  };
}

async function readIgnoreFile(
  directory: string,
  names: readonly string[],
): Promise<PathPatterns | undefined> {
  for (const name of names) {
    const file = join(directory, name);
    const bytes = await readBounded(file, longestIgnoreFile).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw asSpacktainersError(error, { file });
    });
    if (bytes === null) continue;
    if (bytes === undefined)
      throw new SpacktainersError("DEFINITION_INVALID", "the file is larger than 1 MiB", { place: { file } });
    return parseIgnoreFile(bytes.toString("utf8"), file);
  }
  return undefined;
}

/** What is found on the way. */
interface ContextWalk {
  readonly directory: string;
  readonly ignored: PathPatterns | undefined;
  readonly nodes: Map<string, ContextNode>;
  readonly children: Map<string, ContextNode[]>;
}

/** @returns whether anything of the folder belongs to the context */
async function readTree(
  folder: string,
  { directory, ignored, nodes, children }: ContextWalk,
): Promise<boolean> {
  const names = await readdir(fileSystemPath(join(directory, folder)), { encoding: "buffer" });
  const sorted = names.map((name) => nameOfBytes(name)).sort((a, b) => (a < b ? -1 : 1));
  const list: ContextNode[] = [];
  for (const name of sorted) {
    const path = folder === "" ? name : `${folder}/${name}`;
    const isIgnored = ignored?.matches(path) === true;
    if (isIgnored && ignored?.hasExceptions !== true) continue;
    const node = await readNode(directory, path);
    if (node.type === "directory") {
      const hasParts = await readTree(path, { directory, ignored, nodes, children });
      // A folder left out is there all the same for what is taken back into it.
      if (isIgnored && !hasParts) continue;
    } else if (isIgnored) continue;
    if (nodes.size >= mostNodes)
      throw new SpacktainersError("DEFINITION_INVALID", `the folder has more than ${mostNodes} files in it`, {
        place: { file: directory },
        hint: "leave some out with a .dockerignore",
      });
    nodes.set(path, node);
    list.push(node);
  }
  children.set(folder, list);
  return list.length > 0;
}

async function readNode(directory: string, path: string): Promise<ContextNode> {
  const at = fileSystemPath(join(directory, path));
  const facts = await lstat(at);
  const mode = facts.mode & 0o7777;
  if (facts.isSymbolicLink()) {
    const target = nameOfBytes(await readlink(at, { encoding: "buffer" }));
    return { path, type: "symlink", mode: 0o777, size: 0, target };
  }
  if (facts.isDirectory()) return { path, type: "directory", mode, size: 0, target: undefined };
  if (facts.isFile()) return { path, type: "file", mode, size: facts.size, target: undefined };
  return { path, type: "special", mode, size: 0, target: undefined };
}

function findSource(
  source: string,
  nodes: ReadonlyMap<string, ContextNode>,
  children: ReadonlyMap<string, readonly ContextNode[]>,
): readonly ContextSource[] | SourceProblem {
  const relative = cleanPath(source.replace(/^\/+/, ""));
  if (relative === ".." || relative.startsWith("../"))
    return {
      problem: `${JSON.stringify(source)} leads out of the folder of the definition`,
      hint: "only files in the folder of the definition can be copied",
    };
  const parts = relative === "." ? [] : relative.split("/");
  const wild = parts.findIndex((part) => hasWildcards(part));
  const plain = wild < 0 ? parts : parts.slice(0, wild);
  const start = follow(plain.join("/"), nodes);
  if ("problem" in start) return start;
  if (wild < 0) return [{ name: relative === "." ? "" : relative, node: start }];
  const matches = pathMatcher(parts.slice(wild).join("/"));
  if (matches === undefined)
    return { problem: `${JSON.stringify(source)} is not a pattern`, hint: "write \\[ for a [ in a name" };
  const found: ContextSource[] = [];
  const walk = (folder: ContextNode, below: string): SourceProblem | undefined => {
    for (const node of children.get(folder.path) ?? []) {
      const name = node.path.slice(node.path.lastIndexOf("/") + 1);
      const path = below === "" ? name : `${below}/${name}`;
      if (matches(path)) {
        const real = follow(node.path, nodes);
        if ("problem" in real) return real;
        found.push({ name: node.path, node: real });
      } else if (node.type === "directory") {
        const problem = walk(node, path);
        if (problem !== undefined) return problem;
      }
    }
    return undefined;
  };
  const problem = walk(start, "");
  if (problem !== undefined) return problem;
  if (found.length === 0)
    return { problem: `no file matches ${JSON.stringify(source)}`, hint: "is it in .dockerignore?" };
  return found;
}

/** What a path leads to when its links are followed with the context as the root. */
function follow(path: string, nodes: ReadonlyMap<string, ContextNode>): ContextNode | SourceProblem {
  let pending = path.split("/").filter((part) => part !== "");
  let at: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const [part = "", ...rest] = pending;
    pending = rest;
    if (part === ".") continue;
    if (part === "..") {
      if (at.length === 0)
        return {
          problem: `${JSON.stringify(path)} leads out of the folder of the definition by a symbolic link`,
          hint: "put the file itself next to the definition",
        };
      at.pop();
      continue;
    }
    const here = [...at, part].join("/");
    const node = nodes.get(here);
    if (node === undefined)
      return {
        problem: `there is no ${JSON.stringify(path)} in the folder of the definition`,
        hint: "is it in .dockerignore?",
      };
    if (node.type === "symlink") {
      if (++links > mostLinks)
        return { problem: `${JSON.stringify(path)} is a circle of symbolic links`, hint: undefined };
      const target = node.target ?? "";
      if (target.startsWith("/")) at = [];
      pending = [...target.split("/").filter((one) => one !== ""), ...pending];
      continue;
    }
    if (node.type !== "directory" && pending.some((one) => one !== "."))
      return { problem: `${JSON.stringify(here)} is a file, not a folder`, hint: undefined };
    at.push(part);
  }
  return nodes.get(at.join("/")) ?? { problem: `there is no ${JSON.stringify(path)}`, hint: undefined };
}

/**
 * What decides the result of copying these: names, types, modes, contents.
 *
 * @returns lines, one for each file and folder, sorted
 */
export async function contextInputs(
  context: BuildContext,
  sources: readonly ContextSource[],
): Promise<readonly string[]> {
  const lines = new Set<string>();
  const visit = async (node: ContextNode): Promise<void> => {
    const content =
      node.type === "file" ? await contentDigest(context, node) : node.type === "symlink" ? node.target : "";
    lines.add(JSON.stringify([node.path, node.type, node.mode, content]));
    for (const child of context.children(node.path)) await visit(child);
  };
  for (const { name, node } of sources) {
    lines.add(JSON.stringify([name, "is", node.path]));
    await visit(node);
  }
  return [...lines].sort();
}

async function contentDigest(context: BuildContext, node: ContextNode): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of context.read(node)) hash.update(chunk);
  } catch (error) {
    throw asSpacktainersError(error, { file: join(context.directory, node.path) });
  }
  return hash.digest("hex");
}
