/**
 * Install requests for the corpus (`../shared/corpus` from the project's root), made from its lockfiles by the simplest
 * reading, and what real Spack installed for them.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import type { InstallOptions, InstallRequest } from "../../src/install/types.ts";
import type { DagHash } from "../../src/spec/concrete.ts";

const corpus = resolve(import.meta.dirname, "../../../shared/corpus");

/** False where the corpus is not on this machine. */
export const hasCorpus = existsSync(join(corpus, "installed/spack.lock"));

interface Node {
  readonly name: string;
  readonly version: string;
  readonly external?: unknown;
  readonly arch: { readonly platform_os: string; readonly target: string | { readonly name: string } };
  readonly compiler?: { readonly name: string; readonly version: string };
  readonly dependencies?: readonly {
    readonly hash: string;
    readonly parameters: { readonly deptypes: readonly string[] };
  }[];
}

type Nodes = Readonly<Record<string, Node>>;

/** The two recordings: the folder of the lock, the layout of the cache, and the root real Spack used. */
export const recordings = [
  { folder: "installed", layout: 2, root: "/opt/oracle/software" },
  { folder: "installed-v3", layout: 3, root: "/opt/oracle11/software" },
] as const;

/** Requests for every package of a recording's environment that is in the cache. */
export function corpusRequests(
  recording: (typeof recordings)[number],
  options: InstallOptions,
  root: string = recording.root,
): InstallRequest[] {
  const lock = JSON.parse(readFileSync(join(corpus, recording.folder, "spack.lock"), "utf8"));
  const nodes: Nodes = lock.concrete_specs;
  const roots: string[] = lock.roots.map((item: { readonly hash: string }) => item.hash);
  const prefixes: Record<string, string> = {};
  for (const hash of reachable(nodes, roots, ["link", "run"])) {
    const node = nodes[hash];
    if (node === undefined || node.external !== undefined) continue;
    prefixes[hash] = `${root}/${projection(recording.layout, node)}-${hash}`;
  }
  return Object.keys(prefixes).map((hash) => {
    const node = nodes[hash];
    if (node === undefined) throw new Error(`no node ${hash}`);
    const order = [...reachable(nodes, [hash], ["link"]), ...children(nodes, hash, ["run"])];
    return {
      name: node.name,
      version: node.version,
      hash: hash as DagHash,
      archivePath: archiveOf(recording.layout, node, hash),
      root,
      prefixes,
      relocationOrder: [...new Set(order)] as DagHash[],
      externals: [],
      generation: recording.layout === 2 ? "0.x" : "1.x",
      options,
    };
  });
}

function projection(layout: 2 | 3, node: Node): string {
  const target = typeof node.arch.target === "string" ? node.arch.target : node.arch.target.name;
  const name = `${node.name}-${node.version}`;
  if (layout === 3) return `linux-${target}/${name}`;
  return `linux-${node.arch.platform_os}-${target}/${node.compiler?.name}-${node.compiler?.version}/${name}`;
}

function archiveOf(layout: 2 | 3, node: Node, hash: string): string {
  if (layout === 2) {
    const folder = join(corpus, "v2/build_cache");
    const name = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((file) =>
      file.endsWith(`-${hash}.spack`),
    );
    return join(folder, name ?? `${hash}.spack`);
  }
  const manifest = `v3/v3/manifests/spec/${node.name}/${node.name}-${node.version}-${hash}.spec.manifest.json`;
  const text = readFileSync(join(corpus, manifest), "utf8");
  const json = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
  const { checksum } = json.data.find((blob: { readonly mediaType: string }) =>
    blob.mediaType.includes("tar"),
  );
  return join(corpus, "v3/blobs/sha256", checksum.slice(0, 2), checksum);
}

function children(nodes: Nodes, hash: string, types: readonly string[]): string[] {
  return (nodes[hash]?.dependencies ?? [])
    .filter((edge) => edge.parameters.deptypes.some((type) => types.includes(type)))
    .map((edge) => edge.hash);
}

function reachable(nodes: Nodes, roots: readonly string[], types: readonly string[]): string[] {
  const found = [...roots];
  for (let at = 0; at < found.length; at++) {
    for (const hash of children(nodes, found[at] ?? "", types)) if (!found.includes(hash)) found.push(hash);
  }
  return found;
}

/** One line of what real Spack installed. */
export interface RecordedFile {
  readonly path: string;
  /** Octal. */
  readonly mode: string;
  readonly type: "dir" | "file" | "link";
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
}

/** What real Spack installed, by absolute path; below the packages' prefixes only. */
export function recordedFiles(folder: string): Map<string, RecordedFile> {
  const lines = gunzipSync(readFileSync(join(corpus, folder, "software.jsonl.gz"))).toString("utf8");
  return new Map(
    lines
      .trimEnd()
      .split("\n")
      .map((line): [string, RecordedFile] => {
        const record: RecordedFile = JSON.parse(line);
        return [record.path, record];
      }),
  );
}
