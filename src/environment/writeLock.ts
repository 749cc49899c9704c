/** Writing `spack.lock` so that real Spack takes it: the same hashes, in the version of the generation that made them. */
import type { Dialect } from "../spec/abstract.ts";
import type { ConcreteSpec, DagHash, DependencyType, SpecGraph } from "../spec/concrete.ts";

/** A root to write. */
interface WrittenRoot {
  readonly request: string;
  readonly hash: DagHash;
}

/** An included environment to write. */
export interface WrittenEnvironment {
  /** What it is known by in the lock. */
  readonly path: string;
  readonly roots: readonly WrittenRoot[];
  readonly included: readonly WrittenEnvironment[];
}

/** What a lock is made of. */
export interface LockContents {
  /** In the order of the environment's specs; `request` in Spack's writing. */
  readonly roots: readonly WrittenRoot[];
  /** Environments that are part of this one; left out: none. */
  readonly included?: readonly WrittenEnvironment[];
  /** At least the closure of the roots over all edges. */
  readonly graph: SpecGraph;
}

const typeOrder: readonly DependencyType[] = ["build", "link", "run", "test"];
const flagOrder = ["cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"];

/** Versions of lock and spec nodes that each generation of Spack writes. */
const versions: Readonly<Record<Dialect, { readonly lock: number; readonly specfile: number }>> = {
  "0.x": { lock: 5, specfile: 4 },
  "1.x": { lock: 6, specfile: 5 },
};

/**
 * The generation whose lock can hold these specs: 0.x only when no node is of a newer spec file version.
 */
export function lockDialect(graph: SpecGraph): Dialect {
  for (const { specfileVersion } of graph.values()) if (specfileVersion > 4) return "1.x";
  return "0.x";
}

/**
 * The text of a lock. Only what the roots reach is written. Nodes keep their hashes: Spack reads them as they are.
 * Nodes of an older spec file version are carried over as Spack 1.x does, with the compiler they had as an annotation.
 */
export function writeLock(contents: LockContents, dialect: Dialect = lockDialect(contents.graph)): string {
  const { lock, specfile } = versions[dialect];
  const { roots, included = [], graph } = contents;
  const rootList = (list: readonly WrittenRoot[]) =>
    list.map(({ hash, request }) => ({ hash, spec: request }));
  const specsOf = (hashes: Iterable<DagHash>) => {
    const specs: Record<string, unknown> = Object.create(null);
    for (const hash of hashes) {
      const node = graph.get(hash);
      if (node !== undefined) specs[hash] = writeNode(node, specfile);
    }
    return specs;
  };
  // As in Spack, what several included environments need is written with the first.
  const written = new Set<DagHash>();
  const environmentsOf = (environments: readonly WrittenEnvironment[]): Record<string, unknown> => {
    const parts: Record<string, unknown> = Object.create(null);
    for (const each of environments) {
      const needed = [...closure(each.roots, graph)].filter((hash) => !written.has(hash));
      for (const hash of needed) written.add(hash);
      parts[each.path] = {
        roots: rootList(each.roots),
        concrete_specs: specsOf(needed),
        ...(each.included.length === 0 ? {} : { include_concrete: environmentsOf(each.included) }),
      };
    }
    return parts;
  };
  const document = {
    _meta: { "file-type": "spack-lockfile", "lockfile-version": lock, "specfile-version": specfile },
    roots: rootList(roots),
    concrete_specs: specsOf(closure(roots, graph)),
    ...(included.length === 0 ? {} : { include_concrete: environmentsOf(included) }),
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

/** Everything the roots reach, in order of discovery, build specs included. */
function closure(roots: readonly WrittenRoot[], graph: SpecGraph): ReadonlySet<DagHash> {
  const found = new Set(roots.map(({ hash }) => hash));
  for (const hash of found) {
    const node = graph.get(hash);
    for (const edge of node?.dependencies ?? []) if (graph.has(edge.hash)) found.add(edge.hash);
    if (node?.buildSpec !== undefined) found.add(node.buildSpec.hash);
  }
  return found;
}

/**
 * One node as Spack writes it into locks, spec files and indexes.
 *
 * @param specfile version of the format: 4 or 5
 */
export function writeNode(spec: ConcreteSpec, specfile: number): Record<string, unknown> {
  const parameters: Record<string, unknown> = Object.create(null);
  for (const [name, value] of [...spec.variants].sort(([a], [b]) => (a < b ? -1 : 1)))
    parameters[name] = value;
  for (const flag of flagOrder) parameters[flag] = spec.flags.get(flag) ?? [];
  const patches = spec.variants.get("patches");
  const { external, compiler, buildSpec, annotations } = spec;
  const older = spec.specfileVersion < 5;
  return {
    name: spec.name,
    version: spec.version,
    arch: { platform: spec.platform, platform_os: spec.os, target: spec.target },
    ...(specfile < 5 && compiler !== undefined ? { compiler } : {}),
    ...(spec.namespace === undefined ? {} : { namespace: spec.namespace }),
    parameters,
    ...(external === undefined
      ? {}
      : {
          external: {
            path: external.path ?? null,
            module: external.modules.length > 0 ? external.modules : null,
            extra_attributes: {},
          },
        }),
    ...(Array.isArray(patches) ? { patches } : {}),
    ...(spec.packageHash === undefined ? {} : { package_hash: spec.packageHash }),
    ...(spec.dependencies.length === 0
      ? {}
      : {
          dependencies: spec.dependencies.map((edge) => ({
            name: edge.name,
            hash: edge.hash,
            parameters: {
              deptypes: typeOrder.filter((type) => edge.types.has(type)),
              virtuals: edge.virtuals,
              ...(specfile >= 5 && edge.direct ? { direct: true } : {}),
            },
          })),
        }),
    ...(buildSpec === undefined ? {} : { build_spec: buildSpec }),
    ...(specfile < 5
      ? {}
      : {
          annotations: {
            original_specfile_version: annotations?.originalSpecfileVersion ?? spec.specfileVersion,
            ...(older && compiler !== undefined
              ? { compiler: `${compiler.name}@=${compiler.version}` }
              : annotations?.compiler === undefined
                ? {}
                : { compiler: annotations.compiler }),
          },
        }),
    hash: spec.hash,
  };
}
