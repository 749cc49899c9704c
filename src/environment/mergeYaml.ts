/** Merging configuration as Spack merges its scopes. */
import type { YamlEntry, YamlMap, YamlNode } from "../definitions/positionedYaml.ts";
import { plainKey } from "./yamlReader.ts";

/**
 * Two mappings as one: mappings are merged key by key, lists are joined with the higher scope's items first, anything
 * else is the higher scope's. A key written `key::` replaces the lower scope's value altogether; `key-:` puts the higher
 * scope's list last.
 */
export function mergeYaml(higher: YamlMap, lower: YamlMap): YamlMap {
  const below = new Map(lower.entries.map((entry) => [plainKey(entry.key), entry]));
  const entries: YamlEntry[] = higher.entries.map((entry) => {
    const other = below.get(plainKey(entry.key));
    below.delete(plainKey(entry.key));
    if (other === undefined || entry.key.endsWith(":")) return entry;
    return { ...entry, value: mergeValues(entry.value, other.value, entry.key.endsWith("-")) };
  });
  return { ...higher, entries: [...entries, ...below.values()] };
}

function mergeValues(higher: YamlNode, lower: YamlNode, last: boolean): YamlNode {
  if (higher.kind === "scalar" && higher.value === null) return lower;
  if (higher.kind === "map" && lower.kind === "map") return mergeYaml(higher, lower);
  if (higher.kind === "list" && lower.kind === "list") {
    const items = last ? [...lower.items, ...higher.items] : [...higher.items, ...lower.items];
    return { ...higher, items };
  }
  return higher;
}
