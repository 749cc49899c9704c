/** Spec files on their way from one cache to another: as text, since what Spack wrote is kept as it is. */
import type { ConcreteSpec, DagHash, SpecGraph } from "../spec/concrete.ts";
import { readSpecFile } from "../spec/readSpecfile.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { compactJson, jsonItems, jsonMembers } from "../util/jsonText.ts";

/** A spec file taken apart. */
export interface SpecDocument {
  readonly root: ConcreteSpec;
  readonly graph: SpecGraph;
  /** Version of the spec file format. */
  readonly version: number;
  /** Texts of the nodes, by hash, in their order, without space. */
  readonly nodes: ReadonlyMap<DagHash, string>;
}

/**
 * Reads a spec file, whatever lies beside `spec` in it.
 *
 * @throws CACHE_INVALID if it is not one; NOT_SUPPORTED for versions that cannot be read
 */
export function readSpecDocument(text: string, place: Place): SpecDocument {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SpacktainersError("CACHE_INVALID", "the spec file is not JSON", { place, cause });
  }
  const { root, graph } = readSpecFile(json, place);
  const spec = memberOf(text, "spec");
  const texts = jsonItems(memberOf(spec, "nodes")).map(compactJson);
  const nodes = new Map([...graph.keys()].map((hash, at) => [hash, texts[at] ?? "{}"]));
  return { root, graph, version: root.specfileVersion, nodes };
}

/** The text of `spec` in a spec file, without space. */
export function specText({ version, nodes }: SpecDocument): string {
  return `{"_meta":{"version":${version}},"nodes":[${[...nodes.values()].join(",")}]}`;
}

/**
 * The same spec as Spack 1.x writes it: nodes of Spack 0.21 to 0.23 lose their compiler, which is noted in their annotations, as
 * Spack's own `buildcache migrate` does. Hashes stay.
 *
 * @throws NOT_SUPPORTED for specs of older Spacks, whose edges do not say what they provide
 */
export function inNewDialect(document: SpecDocument, place: Place): SpecDocument {
  if (document.version >= 5) return document;
  if (document.version < 4)
    throw new SpacktainersError("NOT_SUPPORTED", "packages of Spack 0.20 and older stay in layout v2", {
      place,
      hint: "their specs do not record which virtual packages they use; only the recipes do",
    });
  const nodes = new Map(
    [...document.nodes].map(([hash, text]) => [hash, newerNode(text, document.graph.get(hash))]),
  );
  return { ...document, version: 5, nodes };
}

function newerNode(text: string, node: ConcreteSpec | undefined): string {
  const compiler = node?.compiler === undefined ? "" : `${node.compiler.name}@=${node.compiler.version}`;
  const annotations = JSON.stringify({ original_specfile_version: 4, compiler });
  const members = jsonMembers(text).filter(([name]) => name !== "compiler" && name !== "annotations");
  const written = members.map(([name, value]) => `${JSON.stringify(name)}:${value}`);
  const hash = members.findIndex(([name]) => name === "hash");
  written.splice(hash < 0 ? written.length : hash, 0, `"annotations":${annotations}`);
  return `{${written.join(",")}}`;
}

function memberOf(text: string, name: string): string {
  return jsonMembers(text).find(([key]) => key === name)?.[1] ?? "{}";
}
