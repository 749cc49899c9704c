/** The section `definitions`: named lists of specs. */
import { placeInScalar, type YamlEntry, type YamlNode, yamlEntry } from "../definitions/positionedYaml.ts";
import type { Machine } from "./machine.ts";
import { type Budget, type Definitions, newBudget, readItems, type SpecItem, spend } from "./specItems.ts";
import type { SpecReader } from "./specReader.ts";
import { evaluateWhen } from "./whenExpression.ts";
import { expectMap, expectText, isNull, plainKey, requireList, type YamlReader } from "./yamlReader.ts";

/** No lists. */
export const noDefinitions: Definitions = { itemsOf: () => undefined, names: () => [] };

/** A part of a list: lists of one name are joined. */
interface Part {
  readonly name: string;
  readonly nodes: readonly YamlNode[];
  readonly applies: boolean;
}

/**
 * Reads `definitions:`, merged from all files. Spack 1.x makes the lists in the order in which their names first occur; each
 * may refer to those before it. To 0.x a list may refer to all lists before its last part, and only what is used is
 * looked into.
 */
export function readDefinitions(reader: SpecReader, section: YamlNode, machine: Machine): Definitions {
  const parts = requireList(reader, section, "`definitions`").flatMap(
    (node) => readPart(reader, node, machine) ?? [],
  );
  const budget = newBudget();
  return reader.dialect === "1.x"
    ? inOrderOfNames(reader, parts, budget)
    : inOrderOfParts(reader, parts, budget);
}

function readPart(reader: SpecReader, node: YamlNode, machine: Machine): Part | undefined {
  const map = expectMap(reader, node, "a definition");
  if (map === undefined) return undefined;
  const when = yamlEntry(map, "when");
  const named = map.entries.filter(({ key }) => plainKey(key) !== "when");
  const applies = when === undefined || conditionHolds(reader, when.value, machine);
  const [first, second] = named;
  if (first === undefined || second !== undefined) {
    reader.problems.error(
      "MANIFEST_INVALID",
      first === undefined ? "this definition has no name" : "a definition has one name",
      second?.keyPlace ?? map.place,
      second === undefined ? undefined : "begin a new item of the list with it",
    );
    return undefined;
  }
  return { name: plainKey(first.key), nodes: listOf(reader, first), applies };
}

function listOf(reader: SpecReader, { key, value }: YamlEntry): readonly YamlNode[] {
  return requireList(reader, value, `\`${plainKey(key)}\``);
}

/** Whether a condition holds; one that is unknown is a problem. */
export function conditionHolds(reader: YamlReader, node: YamlNode, machine: Machine): boolean {
  const text = expectText(reader, node, "`when`");
  if (text === undefined) return false;
  const answer = evaluateWhen(text.text, machine);
  if ("value" in answer) return answer.value;
  reader.problems.error(
    answer.unsupported ? "NOT_SUPPORTED" : "MANIFEST_INVALID",
    answer.unsupported
      ? `this condition cannot be evaluated here: ${answer.problem}`
      : `this condition has no value: ${answer.problem}`,
    placeInScalar(text, answer.offset),
  );
  return false;
}

function inOrderOfNames(reader: SpecReader, parts: readonly Part[], budget: Budget): Definitions {
  const nodes = new Map<string, YamlNode[]>();
  for (const part of parts) {
    const list = nodes.get(part.name) ?? [];
    // As in Spack, what does not apply is not looked into.
    if (part.applies) list.push(...part.nodes);
    nodes.set(part.name, list);
  }
  const lists = new Map<string, readonly SpecItem[]>();
  const definitions: Definitions = { itemsOf: (name) => lists.get(name), names: () => lists.keys() };
  for (const [name, list] of nodes)
    lists.set(name, readItems(reader, list, { definitions, budget, where: "definition" }));
  return definitions;
}

/** A list of 0.x. */
interface LazyList {
  /** How many lists there were before it. */
  readonly order: number;
  readonly nodes: YamlNode[];
  /** How many lists there were before its last part: those it may refer to. */
  known: number;
  items: readonly SpecItem[] | "open" | undefined;
}

/** Lists of 0.x that refer to others, which refer to others, and so on. */
const deepestReference = 200;

function inOrderOfParts(reader: SpecReader, parts: readonly Part[], budget: Budget): Definitions {
  const lists = new Map<string, LazyList>();
  for (const { name, nodes, applies } of parts) {
    if (!applies) continue;
    for (const node of nodes)
      if (isNull(node))
        reader.problems.error("MANIFEST_INVALID", "this item is empty", node.place, "remove the line");
    const known = lists.size;
    const before = lists.get(name);
    if (before === undefined) lists.set(name, { order: known, nodes: [...nodes], known, items: undefined });
    else {
      before.nodes.push(...nodes);
      before.known = known;
    }
  }
  let depth = 0;
  const among = (known: number): Definitions => ({
    names: () => lists.keys(),
    itemsOf(name) {
      const list = lists.get(name);
      if (list === undefined || list.order >= known) return undefined;
      const place = list.nodes[0]?.place ?? {};
      if (list.items === "open") {
        reader.problems.error("MANIFEST_INVALID", `the definition \`${name}\` refers to itself`, place);
        list.items = [];
      }
      if (list.items !== undefined) return list.items;
      if (depth >= deepestReference) {
        if (spend(reader, budget, 0, place))
          reader.problems.error("MANIFEST_INVALID", "definitions refer to one another too deeply", place);
        budget.left = -1;
        return [];
      }
      list.items = "open";
      depth++;
      const items = readItems(reader, list.nodes, {
        definitions: among(list.known),
        budget,
        where: "definition",
      });
      depth--;
      list.items = items;
      return items;
    },
  });
  return among(lists.size);
}
