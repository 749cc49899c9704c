/** The section `specs`: the roots of an environment, and their groups. */
import { type YamlNode, yamlEntry } from "../definitions/positionedYaml.ts";
import { specsOf } from "./specExpansion.ts";
import { type Definitions, newBudget, readItems } from "./specItems.ts";
import type { SpecReader } from "./specReader.ts";
import type { PlacedSpec, RequestedSpec } from "./types.ts";
import { expectBoolean, expectList, expectMap, expectText, readKeys, requireList } from "./yamlReader.ts";

/** Most specs that a list may expand to. */
const mostSpecs = 10_000;

/** Reads `specs:` into the roots it stands for. */
export function readSpecs(
  reader: SpecReader,
  section: YamlNode,
  definitions: Definitions,
): readonly RequestedSpec[] {
  const specs: RequestedSpec[] = [];
  const budget = newBudget();
  const add = (nodes: readonly YamlNode[], group: string | undefined) => {
    for (const item of readItems(reader, nodes, { definitions, budget, where: "specs" }))
      for (const spec of specsOf(reader, item, budget)) {
        if (spec.spec.name === undefined && spec.spec.hash === undefined) {
          reader.problems.error(
            "SPEC_SYNTAX",
            spec.text === ""
              ? "this item is empty: it names no package"
              : `\`${spec.text}\` names no package`,
            spec.place,
          );
          continue;
        }
        if (specs.length >= mostSpecs) {
          if (budget.left >= 0)
            reader.problems.error("MANIFEST_INVALID", `there are more than ${mostSpecs} specs`, spec.place);
          budget.left = -1;
          return;
        }
        warnOfMissingSpaces(reader, spec);
        specs.push({ ...spec, group });
      }
  };
  const isGroup = (node: YamlNode) => node.kind === "map" && yamlEntry(node, "group") !== undefined;
  const nodes = requireList(reader, section, "`specs`");
  for (const node of nodes) {
    if (!isGroup(node)) {
      add([node], undefined);
      continue;
    }
    const map = expectMap(reader, node, "a group");
    if (map === undefined) continue;
    let group: string | undefined;
    let members: readonly YamlNode[] = [];
    readKeys(reader, map, "a group", {
      group: (value) => {
        group = expectText(reader, value, "`group`")?.text;
      },
      specs: (value) => {
        members = expectList(reader, value, "`specs`");
      },
      explicit: (value) => void expectBoolean(reader, value, "`explicit`"),
      needs: undefined,
      override: (_, entry) =>
        reader.problems.warning(
          "NOT_SUPPORTED",
          "the configuration of a single group has no effect",
          entry.keyPlace,
        ),
    });
    add(members, group);
  }
  return specs;
}

/** `model=a+mpi` is the value `a+mpi` to Spack, seldom to the user. */
function warnOfMissingSpaces(reader: SpecReader, { spec, place }: PlacedSpec): void {
  for (const { name, values } of spec.variants.values())
    for (const value of values) {
      const at = typeof value === "string" ? value.search(/[A-Za-z0-9_][+~][A-Za-z_]/) : -1;
      if (typeof value !== "string" || at < 0) continue;
      reader.problems.warning(
        "SPEC_SYNTAX",
        `\`${name}=${value}\` is one value`,
        place,
        `for the variant \`${value.slice(at + 1)}\`, put a space before it`,
      );
    }
}
