/** The section `toolchains` (1.x). */
import type { YamlNode } from "../definitions/positionedYaml.ts";
import type { Toolchain } from "../spec/parse.ts";
import { expectMap, expectText, plainKey, readKeys, type YamlReader } from "./yamlReader.ts";

/** Reads what `%NAME` stands for, by name. */
export function readToolchains(
  reader: YamlReader,
  section: YamlNode | undefined,
): ReadonlyMap<string, Toolchain> {
  const toolchains = new Map<string, Toolchain>();
  if (section === undefined) return toolchains;
  for (const entry of expectMap(reader, section, "`toolchains`")?.entries ?? []) {
    const { value } = entry;
    if (value.kind === "scalar") {
      const text = expectText(reader, value, `the toolchain \`${entry.key}\``)?.text;
      if (text !== undefined) toolchains.set(plainKey(entry.key), text);
      continue;
    }
    if (value.kind !== "list") continue;
    const parts: { spec: string; when?: string }[] = [];
    for (const item of value.items) {
      const map = expectMap(reader, item, "a part of a toolchain");
      if (map === undefined) continue;
      let spec: string | undefined;
      let when: string | undefined;
      readKeys(reader, map, "a part of a toolchain", {
        spec: (node) => {
          spec = expectText(reader, node, "`spec`")?.text;
        },
        when: (node) => {
          when = expectText(reader, node, "`when`")?.text;
        },
      });
      if (spec !== undefined) parts.push(when === undefined ? { spec } : { spec, when });
    }
    toolchains.set(plainKey(entry.key), parts);
  }
  return toolchains;
}
