/** Small concrete graphs for tests, written as Spack writes them. */
import type { ConcreteSpec, DagHash } from "../../src/spec/concrete.ts";
import { readNode } from "../../src/spec/readSpecfile.ts";

export interface NodeInput {
  readonly name: string;
  readonly version?: string;
  readonly hash?: string;
  readonly target?: unknown;
  readonly parameters?: Record<string, unknown>;
  /** `[name, types, virtuals]` of the dependency. */
  readonly dependencies?: readonly (readonly [
    name: string,
    types: readonly string[],
    virtuals?: readonly string[],
  ])[];
  readonly rest?: Record<string, unknown>;
}

/** A hash that begins with the letters of the name. */
export function hashOf(name: string): DagHash {
  return name
    .replaceAll(/[^a-z]/g, "")
    .padEnd(32, "a")
    .slice(0, 32) as DagHash;
}

/** The dictionary of a node of version 4, 5 or 6. */
export function nodeJson(
  input: NodeInput,
  hashes: ReadonlyMap<string, string>,
  version = 5,
): Record<string, unknown> {
  return {
    name: input.name,
    version: input.version ?? "1.0",
    arch: { platform: "linux", platform_os: "debian12", target: input.target ?? "x86_64_v3" },
    ...(version < 5 ? { compiler: { name: "gcc", version: "12.2.0" } } : {}),
    namespace: "builtin",
    parameters: { cflags: [], cxxflags: [], ...input.parameters },
    dependencies: (input.dependencies ?? []).map(([name, deptypes, virtuals = []]) => ({
      name,
      hash: hashes.get(name),
      parameters: { deptypes, virtuals },
    })),
    ...(version < 5 ? {} : { annotations: { original_specfile_version: version } }),
    hash: hashes.get(input.name),
    ...input.rest,
  };
}

/** A graph of nodes with different names. */
export function graphOf(nodes: readonly NodeInput[], version = 5): Map<DagHash, ConcreteSpec> {
  const hashes = new Map(nodes.map((node) => [node.name, node.hash ?? hashOf(node.name)]));
  return new Map(
    nodes.map((node) => {
      const spec = readNode(nodeJson(node, hashes, version), { specfileVersion: version, place: {} });
      return [spec.hash, spec];
    }),
  );
}
