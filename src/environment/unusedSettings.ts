/** Settings that Spack would honour and this program does not: they are named, each with its line. */
import type { YamlEntry, YamlMap } from "../definitions/positionedYaml.ts";
import type { Environment } from "./types.ts";
import { plainKey, type YamlReader } from "./yamlReader.ts";

/** Settings by their path of keys (`*`: any key), and what is said of them. */
const unused: readonly (readonly [path: readonly string[], message: string, hint?: string])[] = [
  [
    ["modules", "*", "prefix_inspections"],
    "these `prefix_inspections` have no effect: they are for module files, which are not made",
    "`modules: prefix_inspections:` is for the environment as well",
  ],
  [["concretizer", "splice"], "packages are not spliced while they are chosen from caches"],
  [["concretizer", "os_compatible"], "`os_compatible` has no effect: all packages are of one system"],
  [["concretizer", "compiler_mixing"], "`compiler_mixing` has no effect on what was built already"],
  [
    ["packages", "*", "permissions"],
    "`permissions` has no effect: files keep those that they were built with",
  ],
];

/** Warns of every setting that has no effect although it would have one in Spack. */
export function nameUnusedSettings(
  { problems }: YamlReader,
  sections: YamlMap,
  { views, dialect, all, packages }: Environment,
): void {
  for (const [path, message, hint] of unused)
    for (const { keyPlace } of entriesAt(sections, path))
      problems.warning("NOT_SUPPORTED", message, keyPlace, hint);
  if (dialect === "1.x")
    for (const { spec } of [all, ...packages.values()].flatMap(({ conflict }) => conflict))
      if (spec.spec.dependencies.some(({ direct }) => direct))
        problems.warning(
          "NOT_SUPPORTED",
          `to Spack 1.x, \`${spec.text}\` is no conflict with what is built with it, unless a spec or a requirement asks for just that`,
          spec.place,
        );
  const used = views.find(({ name }) => name === "default") ?? views[0];
  for (const view of views)
    if (view !== used)
      problems.warning(
        "NOT_SUPPORTED",
        `an image has one view, \`${used?.name}\`: the view \`${view.name}\` is not made`,
        view.place,
      );
}

function entriesAt(map: YamlMap, [first, ...rest]: readonly string[]): readonly YamlEntry[] {
  const found = map.entries.filter(({ key }) => first === "*" || plainKey(key) === first);
  if (rest.length === 0) return found;
  return found.flatMap(({ value }) => (value.kind === "map" ? entriesAt(value, rest) : []));
}
