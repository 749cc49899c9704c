/** Merging configuration as Spack merges its scopes. */
import type { YamlEntry, YamlMap, YamlNode } from "../definitions/positionedYaml.ts";
import { plainKey, replacesLower } from "./yamlReader.ts";

/**
 * Two mappings as one: mappings are merged key by key, lists are joined with the higher scope's items first and without what
 * is in both, anything else is the higher scope's. A key written `key::` replaces the lower scope's value altogether.
 *
 * If there are several scopes, the lowest ones are merged first.
 */
export function mergeYaml(higher: YamlMap, lower: YamlMap): YamlMap {
  const below = new Map(lower.entries.map((entry) => [plainKey(entry.key), entry]));
  const entries: YamlEntry[] = higher.entries.map((entry) => {
    const other = below.get(plainKey(entry.key));
    below.delete(plainKey(entry.key));
    if (other === undefined || replacesLower(entry.key)) return entry;
    return { ...entry, value: mergeValues(entry.value, other.value) };
  });
  return { ...higher, entries: [...entries, ...below.values()] };
}

function mergeValues(higher: YamlNode, lower: YamlNode): YamlNode {
  if (higher.kind === "map" && lower.kind === "map") return mergeYaml(higher, lower);
  if (higher.kind === "list" && lower.kind === "list") {
    const mine = new Set(higher.items.map(identity));
    return {
      ...higher,
      items: [...higher.items, ...lower.items.filter((item) => !mine.has(identity(item)))],
    };
  }
  return higher;
}

/** A text that is the same for equal values: the order of keys does not matter, whole numbers are equal to others. */
function identity(node: YamlNode): string {
  if (node.kind === "list") return `[${node.items.map(identity).join(",")}]`;
  if (node.kind === "map") {
    const entries = node.entries.map(
      ({ key, value }) => `${JSON.stringify(plainKey(key))}:${identity(value)}`,
    );
    return `{${entries.sort().join(",")}}`;
  }
  return JSON.stringify(typeof node.value === "boolean" ? Number(node.value) : node.value);
}
