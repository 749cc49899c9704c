/** What real Spack installed and merged (`corpus/installed*`), as the types of the view. */
import { createReadStream, existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { readContent } from "../../src/archive/content.ts";
import { gunzipStream } from "../../src/archive/gzip.ts";
import type { Inventory, InventoryEntry } from "../../src/archive/inventory.ts";
import { readTar } from "../../src/archive/readTar.ts";
import { readElfFacts } from "../../src/elf/readElf.ts";
import { topologicalOrder } from "../../src/spec/closure.ts";
import type { ConcreteSpec, DagHash, SpecGraph } from "../../src/spec/concrete.ts";
import { readNode } from "../../src/spec/readSpecfile.ts";
import type { ViewPackage } from "../../src/view/types.ts";

const folder = resolve(import.meta.dirname, "../../../shared/corpus");

/** The corpus, or undefined where it is not. */
export const corpus = existsSync(join(folder, "installed")) ? folder : undefined;

/** One line of the recordings. */
export interface InstalledLine {
  readonly path: string;
  readonly mode: string;
  readonly type: "dir" | "file" | "link";
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
}

export interface Installed {
  readonly roots: readonly DagHash[];
  readonly graph: SpecGraph;
  /** Link/run closure without externals, in view order. */
  readonly packages: readonly ViewPackage[];
  readonly view: readonly InstalledLine[];
}

function lines(file: string): InstalledLine[] {
  return gunzipSync(readFileSync(file))
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as InstalledLine);
}

const typeNames = { dir: "directory", file: "file", link: "symlink" } as const;

/** An entry as the recordings describe it; what the recordings do not know is left out. */
export function recordedEntry(line: InstalledLine): InventoryEntry {
  return {
    path: line.path.slice(1),
    type: typeNames[line.type],
    mode: Number.parseInt(line.mode, 8),
    size: line.size ?? 0,
    ...(line.target === undefined ? {} : { target: line.target }),
  };
}

/** @param name `installed` or `installed-v3` */
export function readInstalled(name: string): Installed {
  const base = join(folder, name);
  const lock = JSON.parse(readFileSync(join(base, "spack.lock"), "utf8")) as {
    _meta: { "specfile-version": number };
    roots: { hash: DagHash }[];
    concrete_specs: Record<string, unknown>;
  };
  const graph = new Map<DagHash, ConcreteSpec>();
  for (const [hash, node] of Object.entries(lock.concrete_specs))
    graph.set(hash as DagHash, readNode(node, lock._meta["specfile-version"], {}, hash as DagHash));
  const roots = lock.roots.map((root) => root.hash);
  const software = lines(join(base, "software.jsonl.gz"));
  const packages: ViewPackage[] = [];
  for (const spec of topologicalOrder(graph, roots, new Set(["link", "run"]))) {
    if (spec.external !== undefined) continue;
    const end = `/${spec.name}-${spec.version}-${spec.hash}`;
    const prefix = software.find((line) => line.type === "dir" && line.path.endsWith(end))?.path ?? "";
    const entries = software
      .filter((line) => line.path === prefix || line.path.startsWith(`${prefix}/`))
      .map(recordedEntry);
    packages.push({ spec, prefix, inventory: { entries } });
  }
  return { roots, graph, packages, view: lines(join(base, "view.jsonl.gz")) };
}

/**
 * The inventory of a package's archive in `v2/`, as a stand-in for installing it: paths, link targets, scripts and what
 * the loader reads are moved to `prefix`; nothing is written.
 */
export async function inventoryOfArchive(
  spec: ConcreteSpec,
  prefix: string,
  root: string,
): Promise<Inventory> {
  const cache = join(folder, "v2/build_cache");
  const name = readdirSync(cache, { recursive: true, encoding: "utf8" }).find((path) =>
    path.endsWith(`${spec.name}-${spec.version}-${spec.hash}.spack`),
  );
  if (name === undefined) throw new Error(`no archive of ${spec.name}`);
  const entries: InventoryEntry[] = [];
  let oldRoot: string | undefined;
  const move = (text: string): string =>
    (oldRoot === undefined ? text : text.replaceAll(oldRoot, root)).replaceAll(
      "/opt/software/bin",
      `${root}/bin`,
    );
  for await (const entry of readTar(gunzipStream(createReadStream(join(cache, name)), { where: {} }), {
    where: {},
  })) {
    const at = entry.path.indexOf(`/${spec.name}-${spec.version}-${spec.hash}`);
    if (at < 0) continue;
    const relative = entry.path.slice(at + `/${spec.name}-${spec.version}-${spec.hash}`.length);
    oldRoot ??= `/${entry.path.slice(0, at).replace(/\/linux-[^/]*\/[^/]*$/, "")}`;
    const path = `${prefix.slice(1)}${relative}`;
    if (entry.type !== "file") {
      const target = entry.type === "directory" ? {} : { target: move(entry.target) };
      const mode = entry.type === "symlink" ? 0o777 : entry.mode;
      if (entry.type === "hardlink")
        entries.push({
          path,
          type: "hardlink",
          mode,
          size: 0,
          target: prefix.slice(1) + entry.target.slice(at + end(spec)),
        });
      else entries.push({ path, type: entry.type, mode, size: 0, ...target });
      continue;
    }
    const content = await readContent(entry);
    const facts = readElfFacts(content);
    const isScript = (entry.mode & 0o111) !== 0 && content.subarray(0, 2).toString() === "#!";
    const small = content.length <= 65536;
    const text = small && /^\/bin\/(?!.*\/)/.test(relative) ? move(content.toString("latin1")) : undefined;
    const isText = isScript || /^\/bin\/activate/i.test(relative) || relative === "/pyvenv.cfg";
    entries.push({
      path,
      type: "file",
      mode: entry.mode,
      size: entry.size,
      ...(facts === undefined
        ? {}
        : { elf: { ...facts, rpath: facts.rpath.map(move), runpath: facts.runpath.map(move) } }),
      ...(isScript ? { shebang: move(content.toString("latin1").split("\n", 1)[0]?.slice(2) ?? "") } : {}),
      ...(isText && text !== undefined ? { text } : {}),
    });
  }
  return { entries };
}

function end(spec: ConcreteSpec): number {
  return `/${spec.name}-${spec.version}-${spec.hash}`.length;
}
