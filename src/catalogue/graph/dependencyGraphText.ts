/** Dependency graphs in the languages of Graphviz and of Mermaid. */
import type { DependencyGraph, GraphEdge, GraphNode } from "./dependencyGraph.ts";

/** `name@version`, and a bit of the hash where two packages would look the same. */
export function nodeLabels(graph: DependencyGraph): ReadonlyMap<string, string> {
  const plain = (node: GraphNode): string => `${node.name}@${node.version}`;
  const counts = new Map<string, number>();
  for (const node of graph.nodes) counts.set(plain(node), (counts.get(plain(node)) ?? 0) + 1);
  return new Map(
    graph.nodes.map((node) => [
      node.hash,
      (counts.get(plain(node)) ?? 0) > 1 ? `${plain(node)}/${node.hash.slice(0, 7)}` : plain(node),
    ]),
  );
}

/** True for a dependency that is only needed to run. */
export function isRunOnly(edge: GraphEdge): boolean {
  return !edge.types.includes("link");
}

/** The graph for Graphviz. Roots are bold, externals dashed; run dependencies are dashed arrows. */
export function dotGraph(graph: DependencyGraph): string {
  const labels = nodeLabels(graph);
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
  const style: Readonly<Record<GraphNode["kind"], string>> = {
    root: ", penwidth=2",
    package: "",
    external: ', style="dashed"',
  };
  return [
    "digraph packages {",
    "  rankdir=LR;",
    '  node [shape=box, fontname="sans-serif"];',
    ...graph.nodes.map(
      ({ hash, kind }) => `  ${quoted(hash)} [label=${quoted(labels.get(hash) ?? "")}${style[kind]}];`,
    ),
    ...graph.edges.map(
      (edge) => `  ${quoted(edge.from)} -> ${quoted(edge.to)}${isRunOnly(edge) ? " [style=dashed]" : ""};`,
    ),
    "}",
    "",
  ].join("\n");
}

/** The graph for Mermaid, which Markdown of GitHub and GitLab shows. Externals are rounded; run dependencies dotted. */
export function mermaidGraph(graph: DependencyGraph): string {
  const labels = nodeLabels(graph);
  const ids = new Map(graph.nodes.map(({ hash }, index) => [hash, `n${index}`]));
  // Entities, as Mermaid writes characters that are part of its own language.
  const quoted = (hash: string): string =>
    `"${(labels.get(hash) ?? "").replace(/[^A-Za-z0-9@._+~/-]/g, (char) => `#${char.codePointAt(0)};`)}"`;
  const roots = graph.nodes.filter(({ kind }) => kind === "root").map(({ hash }) => ids.get(hash));
  return [
    "flowchart LR",
    ...graph.nodes.map(({ hash, kind }) =>
      kind === "external" ? `  ${ids.get(hash)}(${quoted(hash)})` : `  ${ids.get(hash)}[${quoted(hash)}]`,
    ),
    ...graph.edges.map(
      (edge) => `  ${ids.get(edge.from)} ${isRunOnly(edge) ? "-.->" : "-->"} ${ids.get(edge.to)}`,
    ),
    ...(roots.length === 0 ? [] : ["  classDef root stroke-width:3px", `  class ${roots.join(",")} root`]),
    "",
  ].join("\n");
}
