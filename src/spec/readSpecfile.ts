/**
 * Reads concrete specs from Spack's JSON: nodes of indexes and locks, and whole spec files.
 * Format: `docs/formats.md`, "Spec files" (versions 3 to 6). The input is foreign: everything is checked, nothing trusted.
 */
import { type ErrorCode, type Place, SpacktainersError } from "../util/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../util/json.ts";
import {
  type ConcreteEdge,
  type ConcreteSpec,
  type ConcreteVariantValue,
  type DagHash,
  type DependencyType,
  parseDagHash,
  type SpecGraph,
} from "./concrete.ts";

/** Spec file versions that can be read: those of Spack 0.18 to 1.3. */
const supported = { oldest: 3, newest: 6 } as const;

/** More nodes than this in one file are not a spec but an attack. */
const maximumNodes = 100_000;
const maximumDependencies = 10_000;
const maximumVariants = 10_000;
const maximumText = 16_384;

const flagNames = new Set(["cflags", "cxxflags", "cppflags", "fflags", "ldflags", "ldlibs"]);
const typeBits: Readonly<Record<string, number>> = {
  __proto__: null,
  build: 1,
  link: 2,
  run: 4,
  test: 8,
} as never;
const typeNames: readonly DependencyType[] = ["build", "link", "run", "test"];

/** The sixteen possible sets of dependency types, shared by all edges. */
const typeSets: readonly ReadonlySet<DependencyType>[] = Array.from(
  { length: 16 },
  (_, bits) => new Set(typeNames.filter((_, bit) => (bits & (1 << bit)) !== 0)),
);

/** Where a node comes from, and what its being malformed is called. */
interface Reading {
  readonly place: Place;
  readonly code: ErrorCode;
}

function invalid(reading: Reading, message: string): SpacktainersError {
  return new SpacktainersError(reading.code, message, { place: reading.place });
}

function text(value: Json | undefined, what: string, reading: Reading): string {
  if (typeof value !== "string") throw invalid(reading, `${what} must be a string`);
  if (value.length > maximumText) throw invalid(reading, `${what} is too long (${value.length} characters)`);
  return value;
}

function list(value: Json | undefined, what: string, limit: number, reading: Reading): readonly Json[] {
  if (!Array.isArray(value)) throw invalid(reading, `${what} must be a list`);
  if (value.length > limit) throw invalid(reading, `${what} has too many entries (${value.length})`);
  return value;
}

function object(value: Json | undefined, what: string, reading: Reading): JsonObject {
  if (!isJsonObject(value)) throw invalid(reading, `${what} must be a mapping`);
  return value;
}

function hash(value: Json | undefined, what: string, reading: Reading): DagHash {
  const parsed = typeof value === "string" ? parseDagHash(value) : undefined;
  if (parsed === undefined) throw invalid(reading, `${what} must be a hash of 32 characters`);
  return parsed;
}

/** Names become parts of paths and URLs: only what Spack itself allows in them. */
function name(value: Json | undefined, what: string, reading: Reading): string {
  const read = text(value, what, reading);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/.test(read))
    throw invalid(
      reading,
      `${what} has characters that names cannot have: ${JSON.stringify(read.slice(0, 80))}`,
    );
  return read;
}

function variantValue(key: string, value: Json | undefined, reading: Reading): ConcreteVariantValue {
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return String(value);
  if (Array.isArray(value))
    return list(value, `the variant ${key}`, maximumVariants, reading).map((item) =>
      typeof item === "boolean" || typeof item === "number"
        ? String(item)
        : text(item, `the variant ${key}`, reading),
    );
  const read = text(value, `the variant ${key}`, reading);
  // Spack reads these words as booleans whatever their case.
  if (/^true$/i.test(read)) return true;
  if (/^false$/i.test(read)) return false;
  return read;
}

function edge(json: Json, version: number, reading: Reading): ConcreteEdge {
  const dependency = object(json, "a dependency", reading);
  const called = name(dependency.name, "the name of a dependency", reading);
  const parameters =
    version >= 4 ? object(dependency.parameters, `the dependency ${called}`, reading) : dependency;
  let bits = 0;
  for (const type of list(
    parameters[version >= 4 ? "deptypes" : "type"],
    `the types of ${called}`,
    16,
    reading,
  )) {
    const bit = typeof type === "string" ? typeBits[type] : undefined;
    if (bit === undefined)
      throw invalid(reading, `the dependency ${called} has an unknown type ${JSON.stringify(type)}`);
    bits |= bit;
  }
  const virtuals =
    version >= 4
      ? list(parameters.virtuals ?? [], `the virtuals of ${called}`, 1000, reading).map((item) =>
          name(item, `a virtual of ${called}`, reading),
        )
      : [];
  return {
    name: called,
    hash: hash(dependency.hash, `the hash of the dependency ${called}`, reading),
    types: typeSets[bits] ?? new Set(),
    virtuals,
    direct: version >= 5 && parameters.direct === true,
  };
}

function external(json: Json | undefined, reading: Reading): ConcreteSpec["external"] {
  if (json === undefined || json === null || json === false) return undefined;
  const read = object(json, "external", reading);
  const given = read.path;
  const path =
    given === undefined || given === null ? "" : text(given, "the path of an external package", reading);
  const module = read.module ?? null;
  const modules =
    module === null || module === false
      ? []
      : typeof module === "string"
        ? [module]
        : list(module, "the modules of an external package", 1000, reading).map((item) =>
            text(item, "a module", reading),
          );
  if (path === "" && modules.length === 0) return undefined;
  // Old databases wrote a missing path as the word.
  return { path: path === "" || path === "None" ? undefined : path, modules };
}

function annotations(json: Json | undefined, reading: Reading): ConcreteSpec["annotations"] {
  if (json === undefined || json === null) return undefined;
  const read = object(json, "annotations", reading);
  const original = read.original_specfile_version;
  if (typeof original !== "number" || !Number.isInteger(original))
    throw invalid(reading, "original_specfile_version must be a whole number");
  const compiler = read.compiler;
  return {
    originalSpecfileVersion: original,
    compiler:
      compiler === undefined || compiler === null
        ? undefined
        : text(compiler, "the annotated compiler", reading),
  };
}

function legacyCompiler(json: Json | undefined, version: number, reading: Reading): ConcreteSpec["compiler"] {
  if (version >= 5 || json === undefined || json === null) return undefined;
  const read = object(json, "compiler", reading);
  return {
    name: name(read.name, "the name of the compiler", reading),
    version: text(read.version, "the version of the compiler", reading),
  };
}

/** How a node is read. */
export interface NodeContext {
  /** 3 to 6. */
  readonly specfileVersion: number;
  /** Where it comes from, for errors. */
  readonly place: Place;
  /** The key under which the node was found, for nodes that do not repeat their hash. */
  readonly hashIfMissing?: DagHash | undefined;
  /** What a malformed node is called: CACHE_INVALID, the default, or LOCK_INVALID when reading a lock. */
  readonly code?: ErrorCode | undefined;
}

/**
 * One node. Cheap: used on single nodes of large indexes.
 * @param json the node dictionary
 * @throws SpacktainersError with the context's code when the node is malformed, NOT_SUPPORTED for other versions
 */
export function readNode(
  json: unknown,
  { specfileVersion, place, hashIfMissing, code = "CACHE_INVALID" }: NodeContext,
): ConcreteSpec {
  checkVersion(specfileVersion, place);
  if (!isJsonObject(json)) throw new SpacktainersError(code, "a spec must be a mapping", { place });
  const called = name(json.name, "the name of a spec", { place, code });
  const own =
    json.hash === undefined ? hashIfMissing : hash(json.hash, `the hash of ${called}`, { place, code });
  if (own === undefined) throw new SpacktainersError(code, `the spec of ${called} has no hash`, { place });
  const reading: Reading = { place: { ...place, spec: `${called}/${own.slice(0, 7)}` }, code };
  if (json.concrete === false) throw invalid(reading, `the spec of ${called} is not concrete`);

  const arch = object(json.arch, "arch", reading);
  const target = arch.target;
  const variants = new Map<string, ConcreteVariantValue>();
  const flags = new Map<string, readonly string[]>();
  const parameters = Object.entries(object(json.parameters ?? {}, "parameters", reading));
  if (parameters.length > maximumVariants) throw invalid(reading, "there are too many variants");
  for (const [key, value] of parameters) {
    if (!flagNames.has(key)) variants.set(key, variantValue(key, value, reading));
    else
      flags.set(
        key,
        list(value, key, 10_000, reading).map((item) => text(item, key, reading)),
      );
  }
  const patches = json.patches;
  if (Array.isArray(patches) && patches.length > 0) {
    const sums = list(patches, "patches", 10_000, reading).map((item) => text(item, "a patch", reading));
    variants.set("patches", [...new Set(sums)].sort());
  }

  const buildSpec = json.build_spec;
  const spliced =
    buildSpec === undefined || buildSpec === null ? undefined : object(buildSpec, "build_spec", reading);
  const provided = json.provided_virtuals;
  const packageHash = json.package_hash;
  return {
    name: called,
    version: version(json.version, reading),
    namespace: typeof json.namespace === "string" ? text(json.namespace, "namespace", reading) : undefined,
    hash: own,
    platform: name(arch.platform, "the platform", reading),
    os: name(arch.platform_os, "the operating system", reading),
    target: name(isJsonObject(target) ? target.name : target, "the target", reading),
    compiler: legacyCompiler(json.compiler, specfileVersion, reading),
    variants,
    flags,
    external: external(json.external, reading),
    packageHash: typeof packageHash === "string" ? text(packageHash, "package_hash", reading) : undefined,
    dependencies: list(json.dependencies ?? [], "dependencies", maximumDependencies, reading).map((item) =>
      edge(item, specfileVersion, reading),
    ),
    buildSpec:
      spliced === undefined
        ? undefined
        : {
            name: name(spliced.name, "build_spec", reading),
            hash: hash(spliced.hash, "build_spec", reading),
          },
    providedVirtuals:
      provided === undefined || provided === null
        ? undefined
        : list(provided, "provided_virtuals", 10_000, reading).map((item) =>
            text(item, "a provided virtual", reading),
          ),
    annotations: annotations(json.annotations, reading),
    specfileVersion,
  };
}

function version(json: Json | undefined, reading: Reading): string {
  const read = typeof json === "number" ? String(json) : text(json, "the version", reading);
  if (!/^[A-Za-z0-9_.\-/=]+$/.test(read) || read.length > 1024)
    throw invalid(
      reading,
      `the version has characters that versions cannot have: ${JSON.stringify(read.slice(0, 80))}`,
    );
  return read;
}

function checkVersion(specfileVersion: unknown, place: Place): asserts specfileVersion is number {
  if (typeof specfileVersion !== "number" || !Number.isInteger(specfileVersion))
    throw new SpacktainersError("CACHE_INVALID", "the spec file does not say its version", { place });
  if (specfileVersion >= supported.oldest && specfileVersion <= supported.newest) return;
  const old = specfileVersion < supported.oldest;
  throw new SpacktainersError("NOT_SUPPORTED", `spec files of version ${specfileVersion} cannot be read`, {
    place,
    hint: old
      ? "it was written by Spack 0.17 or older; push the packages again with a newer Spack"
      : `versions ${supported.oldest} to ${supported.newest} can be read; a newer spacktainers may know it`,
  });
}

/**
 * A spec file: `{"spec": {"_meta": {"version": N}, "nodes": […]}}`, the first node being the root.
 * @throws SpacktainersError CACHE_INVALID when malformed, an edge leads nowhere, or there is a cycle;
 *   NOT_SUPPORTED for versions other than 3 to 6
 */
export function readSpecFile(
  json: unknown,
  place: Place,
): { readonly root: ConcreteSpec; readonly graph: SpecGraph } {
  const reading: Reading = { place, code: "CACHE_INVALID" };
  if (!isJsonObject(json)) throw invalid(reading, "a spec file must be a mapping");
  const body = json.spec;
  if (Array.isArray(body)) checkVersion(1, place);
  const spec = object(body, "spec", reading);
  const meta = object(spec._meta, "_meta", reading);
  const specfileVersion = meta.version;
  checkVersion(specfileVersion, place);
  const graph = new Map<DagHash, ConcreteSpec>();
  for (const node of list(spec.nodes, "nodes", maximumNodes, reading)) {
    const read = readNode(node, { specfileVersion, place });
    if (graph.has(read.hash))
      throw invalid(reading, `the spec ${read.name}/${read.hash.slice(0, 7)} occurs twice`);
    graph.set(read.hash, read);
  }
  const [root] = graph.values();
  if (root === undefined) throw invalid(reading, "the spec file has no specs");
  checkGraph(graph, place);
  return { root, graph };
}

/**
 * Checks that every edge, and every build spec, leads to a node of the graph, and that there is no cycle.
 * @param code what a graph that is not so is called
 * @throws SpacktainersError with that code
 */
export function checkGraph(graph: SpecGraph, place: Place, code: ErrorCode = "CACHE_INVALID"): void {
  const reading: Reading = { place, code };
  const state = new Map<DagHash, "open" | "done">();
  for (const start of graph.keys()) {
    // Depth-first without recursion: a hostile chain may be as deep as the file is long.
    const stack: { readonly node: ConcreteSpec; next: number }[] = [];
    const enter = (hash: DagHash, from: ConcreteSpec | undefined, what: string): void => {
      const seen = state.get(hash);
      if (seen === "done") return;
      const node = graph.get(hash);
      if (node === undefined)
        throw invalid(reading, `${what} ${hash} of ${from?.name ?? "a spec"} is not among the specs`);
      if (seen === "open") throw invalid(reading, `${node.name}/${hash.slice(0, 7)} depends on itself`);
      state.set(hash, "open");
      stack.push({ node, next: 0 });
    };
    enter(start, undefined, "the spec");
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const dependency = top.node.dependencies[top.next];
      top.next += 1;
      if (dependency !== undefined) {
        enter(dependency.hash, top.node, `the dependency ${dependency.name}`);
        continue;
      }
      if (top.node.buildSpec !== undefined && !graph.has(top.node.buildSpec.hash))
        throw invalid(
          reading,
          `the build spec ${top.node.buildSpec.hash} of ${top.node.name} is not among the specs`,
        );
      state.set(top.node.hash, "done");
      stack.pop();
    }
  }
}
