/** The section `develop`: packages that are built from folders of the user. */
import type { YamlNode } from "../definitions/positionedYaml.ts";
import { expectSpec, type SpecReader } from "./specReader.ts";
import type { DevelopSettings, PlacedSpec } from "./types.ts";
import { expectMap, expectText, plainKey, readKeys } from "./yamlReader.ts";

/** Reads the section, by name of the package that the spec of an entry names. */
export function readDevelop(reader: SpecReader, section: YamlNode): ReadonlyMap<string, DevelopSettings> {
  const packages = new Map<string, DevelopSettings>();
  for (const entry of expectMap(reader, section, "`develop`")?.entries ?? []) {
    const key = plainKey(entry.key);
    const what = `\`develop: ${key}\``;
    const map = expectMap(reader, entry.value, what);
    if (map === undefined) continue;
    let spec: PlacedSpec | undefined;
    let path = key;
    readKeys(reader, map, what, {
      spec: (value) => {
        spec = expectSpec(reader, value, "`spec`");
      },
      path: (value) => {
        path = expectText(reader, value, "`path`")?.text ?? path;
      },
    });
    const name = spec?.spec.name;
    if (spec !== undefined && name !== undefined)
      packages.set(name, { name, spec, path, place: entry.keyPlace });
  }
  return packages;
}
