/** `modules: prefix_inspections:`: which folders of a prefix go to which environment variables. */
import type { YamlMap, YamlNode, YamlScalar } from "../definitions/positionedYaml.ts";
import { expectMap, expectTexts, plainKey, type YamlReader } from "./yamlReader.ts";

/** A folder of a prefix (the empty one is the prefix itself), and the variable it is put in front of. */
export type PrefixInspection = readonly [folder: string, variable: string];

/** Those of Spack's own configuration, in its order. */
export const defaultInspections: readonly PrefixInspection[] = [
  ["bin", "PATH"],
  ["man", "MANPATH"],
  ["share/man", "MANPATH"],
  ["share/aclocal", "ACLOCAL_PATH"],
  ["lib/pkgconfig", "PKG_CONFIG_PATH"],
  ["lib64/pkgconfig", "PKG_CONFIG_PATH"],
  ["share/pkgconfig", "PKG_CONFIG_PATH"],
  ["", "CMAKE_PREFIX_PATH"],
];

/**
 * Spack's own configuration as a scope, the least important one: what a manifest says is merged with it. Its keys are
 * written as there (`./bin`), for `bin` is another key.
 */
export const inspectionDefaults: YamlMap = mapOf([
  [
    "modules",
    mapOf([
      [
        "prefix_inspections",
        mapOf(
          defaultInspections.map(([folder, variable]) => [
            `./${folder}`,
            { kind: "list", items: [textOf(variable)], place: {} },
          ]),
        ),
      ],
    ]),
  ],
]);

/**
 * Reads what the merged section `modules` says of all prefixes. Without `prefix_inspections` in it (`modules::` took
 * Spack's own away), Spack falls back to the same folders.
 */
export function readPrefixInspections(reader: YamlReader, section: YamlNode): readonly PrefixInspection[] {
  const modules = expectMap(reader, section, "`modules`");
  const found = modules?.entries.find(({ key }) => plainKey(key) === "prefix_inspections");
  if (found?.value.kind !== "map") return defaultInspections;
  return found.value.entries.flatMap(({ key, value }) => {
    const folder = plainKey(key);
    return expectTexts(reader, value, `\`${folder}\``).flatMap(({ text, place }): PrefixInspection[] => {
      if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(text)) return [[folder, text]];
      reader.problems.warning(
        "MANIFEST_INVALID",
        `\`${text}\` has no effect: no shell can set an environment variable of that name`,
        place,
      );
      return [];
    });
  });
}

function mapOf(entries: readonly (readonly [key: string, value: YamlNode])[]): YamlMap {
  return { kind: "map", entries: entries.map(([key, value]) => ({ key, value, keyPlace: {} })), place: {} };
}

function textOf(text: string): YamlScalar {
  return { kind: "scalar", value: text, text, quoted: false, place: {}, indent: 0 };
}
