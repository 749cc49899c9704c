/** The items of lists of specs: references are replaced by what they name, matrices and specs are not looked into yet. */
import { didYouMean } from "../definitions/nearest.ts";
import { placeInScalar, type YamlNode, type YamlScalar } from "../definitions/positionedYaml.ts";
import type { Place } from "../util/errors.ts";
import type { SpecReader } from "./specReader.ts";
import { expectList, expectMap, expectText, isNull, readKeys } from "./yamlReader.ts";

/** Most items and combinations that all references and matrices of one section come to, those that end as nothing too. */
const mostSteps = 200_000;
/** Texts that a list may contain in place of a reference, in 0.x within lists of exclusions too. */
const referenceSign = "$";

/** An item of a list before specs are parsed; references are resolved. */
export type SpecItem =
  | { readonly kind: "spec"; readonly scalar: YamlScalar; readonly sigil: string }
  | {
      readonly kind: "matrix";
      readonly rows: readonly (readonly SpecItem[])[];
      readonly exclude: readonly YamlScalar[];
      readonly sigil: string;
      readonly place: Place;
    };

/** Named lists that references may name. */
export interface Definitions {
  /** The items of a list; undefined when there is none of this name. What is wrong in it is reported once. */
  itemsOf(name: string): readonly SpecItem[] | undefined;
  names(): Iterable<string>;
}

/** The steps that are left; negative: used up, and reported. */
export interface Budget {
  left: number;
}

/** The steps that one section may take. */
export function newBudget(): Budget {
  return { left: mostSteps };
}

/** Takes from the budget; false, and a problem the first time, when it is used up. */
export function spend(reader: SpecReader, budget: Budget, steps: number, place: Place): boolean {
  if (budget.left < 0) return false;
  budget.left -= steps;
  if (budget.left >= 0) return true;
  reader.problems.error(
    "MANIFEST_INVALID",
    `references and matrices come to more than ${mostSteps} items`,
    place,
  );
  return false;
}

/** Where a list stands: it decides what an item without anything in it is. */
export type ListPlace = "specs" | "definition" | "row";

/** What items may refer to. */
export interface ItemContext {
  readonly definitions: Definitions;
  readonly budget: Budget;
  readonly where: ListPlace;
}

/** Reads the items of a list. */
export function readItems(
  reader: SpecReader,
  nodes: readonly YamlNode[],
  { definitions, budget, where }: ItemContext,
): readonly SpecItem[] {
  return nodes.flatMap((node): readonly SpecItem[] => {
    if (isNull(node) && where !== "row") return readNothing(reader, node);
    if (node.kind === "map") return [readMatrix(reader, node, definitions, budget) ?? []].flat();
    const scalar = expectText(reader, node, "a spec");
    if (scalar === undefined) return [];
    // In a row, it is the combination without a further constraint.
    if (scalar.text === "" && where === "specs" && reader.dialect === "0.x") return [];
    return readScalar(reader, scalar, definitions, budget);
  });
}

/** Spack 0.x leaves empty items out; to 1.x they are specs that any package satisfies. */
function readNothing({ dialect }: SpecReader, { place }: YamlNode): readonly SpecItem[] {
  if (dialect === "0.x") return [];
  const scalar: YamlScalar = { kind: "scalar", value: "", text: "", quoted: false, place, indent: 0 };
  return [{ kind: "spec", scalar, sigil: "" }];
}

function readScalar(
  reader: SpecReader,
  scalar: YamlScalar,
  definitions: Definitions,
  budget: Budget,
): readonly SpecItem[] {
  if (!scalar.text.startsWith(referenceSign)) return [{ kind: "spec", scalar, sigil: "" }];
  const sigil = scalar.text[1] === "^" || scalar.text[1] === "%" ? scalar.text[1] : "";
  const name = scalar.text.slice(1 + sigil.length);
  const referent = definitions.itemsOf(name);
  if (referent === undefined) {
    reader.problems.error(
      "MANIFEST_INVALID",
      `there is no definition \`${name}\``,
      placeInScalar(scalar, 1 + sigil.length),
      name.startsWith("{")
        ? "braces belong to the name here: write it without them"
        : (didYouMean(name, definitions.names()) ?? "definitions must come before the lists that use them"),
    );
    return [];
  }
  if (!spend(reader, budget, referent.length, scalar.place)) return [];
  return sigil === "" ? referent : referent.map((item) => ({ ...item, sigil: sigil + item.sigil }));
}

function readMatrix(
  reader: SpecReader,
  node: YamlNode,
  definitions: Definitions,
  budget: Budget,
): SpecItem | undefined {
  const map = expectMap(reader, node, "a matrix");
  if (map === undefined) return undefined;
  const [only] = map.entries;
  if (only !== undefined && map.entries.length === 1 && /[@+~%^/=]/.test(only.key)) {
    const text = `${only.key}: ${only.value.kind === "scalar" ? only.value.text : ""}`.trim();
    reader.problems.error(
      "MANIFEST_INVALID",
      "YAML takes this spec for a mapping, because of the colon",
      only.keyPlace,
      `quote it: "${text}"`,
    );
    return undefined;
  }
  let rows: readonly (readonly SpecItem[])[] | undefined;
  let exclude: readonly YamlScalar[] = [];
  readKeys(reader, map, "a matrix", {
    matrix: (value) => {
      rows = expectList(reader, value, "`matrix`").map((row) =>
        readItems(reader, readRow(reader, row), { definitions, budget, where: "row" }),
      );
    },
    exclude: (value) => {
      exclude = expectList(reader, value, "`exclude`").flatMap((item) =>
        readExclusion(reader, item, definitions, budget),
      );
    },
  });
  if (rows === undefined) {
    reader.problems.error("MANIFEST_INVALID", "this mapping is neither a matrix nor a group", node.place);
    return undefined;
  }
  if (rows.length === 0) {
    reader.problems.error("MANIFEST_INVALID", "a matrix must have rows", node.place);
    return undefined;
  }
  return { kind: "matrix", rows, exclude, sigil: "", place: node.place };
}

/** The texts of a row: Spack takes no list's name in place of a row, and no matrix in it but by a name. */
function readRow(reader: SpecReader, row: YamlNode): readonly YamlNode[] {
  if (row.kind === "scalar" && row.text.startsWith(referenceSign)) {
    reader.problems.error(
      "MANIFEST_INVALID",
      "a row of a matrix must be a list",
      row.place,
      `write [${row.text}]`,
    );
    return [];
  }
  const items = expectList(reader, row, "a row of a matrix");
  return items.filter((item) => {
    if (item.kind !== "map" || item.entries.every(({ key }) => key !== "matrix")) return true;
    reader.problems.error(
      "MANIFEST_INVALID",
      "a matrix cannot stand in a row of another one",
      item.place,
      "give it a name under `definitions`, and write `$NAME` here",
    );
    return false;
  });
}

function readExclusion(
  reader: SpecReader,
  item: YamlNode,
  definitions: Definitions,
  budget: Budget,
): readonly YamlScalar[] {
  const scalar = expectText(reader, item, "an exclusion");
  if (scalar === undefined) return [];
  // References are replaced here by 0.x only; to 1.x the text is a spec, and no good one.
  if (reader.dialect === "1.x" || !scalar.text.startsWith(referenceSign)) return [scalar];
  return readScalar(reader, scalar, definitions, budget).flatMap((each) => {
    if (each.kind === "spec")
      return { ...each.scalar, text: each.sigil + each.scalar.text, value: each.sigil + each.scalar.text };
    reader.problems.error("MANIFEST_INVALID", "a matrix cannot be an exclusion", scalar.place);
    return [];
  });
}
