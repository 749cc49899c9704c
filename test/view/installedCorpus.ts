/** What real Spack installed and merged (`corpus/installed*`), as the types of the view. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import type { InventoryEntry } from "../../src/archive/inventory.ts";
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
function recordedEntry(line: InstalledLine): InventoryEntry {
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
    graph.set(
      hash as DagHash,
      readNode(node, {
        specfileVersion: lock._meta["specfile-version"],
        place: {},
        hashIfMissing: hash as DagHash,
      }),
    );
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
