/** Lists of specs: references to definitions, matrices, exclusions, groups. */

import { didYouMean } from "../definitions/nearest.ts";
import { placeInScalar, type YamlNode, type YamlScalar, yamlEntry } from "../definitions/positionedYaml.ts";
import { constrain } from "../spec/constrain.ts";
import { formatSpec } from "../spec/format.ts";
import { satisfies } from "../spec/satisfies.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { expectSpec, parsePlaced, readSpec, type SpecReader } from "./specReader.ts";
import type { PlacedSpec, RequestedSpec } from "./types.ts";
import { evaluateWhen, type WhenContext } from "./whenExpression.ts";
import {
  expectBoolean,
  expectList,
  expectMap,
  expectText,
  isNull,
  plainKey,
  readKeys,
  requireList,
} from "./yamlReader.ts";

/** Most specs that a list may expand to. */
const mostSpecs = 10_000;
/** Matrices in matrices. */
const mostNested = 8;
/** Most items and combinations that all references and matrices of one section come to, those that end as nothing too. */
const mostSteps = 200_000;

/** An item of a list before specs are parsed; references are resolved. */
type Item =
  | { readonly kind: "spec"; readonly scalar: YamlScalar; readonly sigil: string }
  | {
      readonly kind: "matrix";
      readonly rows: readonly (readonly Item[])[];
      readonly exclude: readonly PlacedSpec[];
      readonly sigil: string;
      readonly place: Place;
    };

/** What is left of {@link mostSteps}. */
interface Budget {
  left: number;
}

/** Takes from the budget; false, and a problem the first time, when it is used up. */
function spend(reader: SpecReader, budget: Budget, steps: number, place: Place): boolean {
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

/** Named lists that references may name. */
export type Definitions = ReadonlyMap<string, readonly Item[]>;

/** Reads `definitions:`. Lists of one name are joined; a list may refer to those before it. */
export function readDefinitions(reader: SpecReader, section: YamlNode, context: WhenContext): Definitions {
  const definitions = new Map<string, readonly Item[]>();
  const budget: Budget = { left: mostSteps };
  for (const node of requireList(reader, section, "`definitions`")) {
    const map = expectMap(reader, node, "a definition");
    const when = map === undefined ? undefined : yamlEntry(map, "when")?.value;
    let applies = true;
    if (when !== undefined) {
      const text = expectText(reader, when, "`when`");
      const answer = text === undefined ? { value: false } : evaluateWhen(text.text, context);
      if ("problem" in answer) {
        const place = text === undefined ? when.place : placeInScalar(text, answer.offset);
        reader.problems.error(
          "NOT_SUPPORTED",
          `this condition cannot be evaluated: ${answer.problem}`,
          place,
        );
        applies = false;
      } else applies = answer.value;
    }
    for (const entry of map?.entries ?? []) {
      const name = plainKey(entry.key);
      // As in Spack, a list that does not apply is not looked at.
      if (name === "when" || !applies) continue;
      const nodes = requireList(reader, entry.value, `\`${name}\``);
      const items = readItems(reader, nodes, definitions, budget, 0);
      definitions.set(name, [...(definitions.get(name) ?? []), ...items]);
    }
  }
  return definitions;
}

/** Reads `specs:` into the roots it stands for. */
export function readSpecs(
  reader: SpecReader,
  section: YamlNode,
  definitions: Definitions,
): readonly RequestedSpec[] {
  const specs: RequestedSpec[] = [];
  const budget: Budget = { left: mostSteps };
  const add = (nodes: readonly YamlNode[], group: string | undefined) => {
    for (const item of readItems(reader, nodes, definitions, budget, 0))
      for (const spec of specsOf(reader, item, budget, 0)) {
        if (spec.spec.name === undefined && spec.spec.hash === undefined) {
          reader.problems.error("SPEC_SYNTAX", `\`${spec.text}\` names no package`, spec.place);
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
          "the configuration of a single group is not taken into account",
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

function readItems(
  reader: SpecReader,
  nodes: readonly YamlNode[],
  definitions: Definitions,
  budget: Budget,
  depth: number,
): readonly Item[] {
  return nodes.flatMap((node): readonly Item[] => {
    if (isNull(node)) return [];
    if (node.kind === "map") {
      const matrix = readMatrix(reader, node, definitions, budget, depth);
      return matrix === undefined ? [] : [matrix];
    }
    const scalar = expectText(reader, node, "a spec");
    if (scalar === undefined) return [];
    if (!scalar.text.startsWith("$")) return [{ kind: "spec", scalar, sigil: "" }];
    const sigil = scalar.text[1] === "^" || scalar.text[1] === "%" ? scalar.text[1] : "";
    const name = scalar.text.slice(1 + sigil.length);
    const referent = definitions.get(name);
    if (referent === undefined) {
      reader.problems.error(
        "MANIFEST_INVALID",
        `there is no definition \`${name}\``,
        placeInScalar(scalar, 1 + sigil.length),
        didYouMean(name, definitions.keys()) ?? "definitions must come before the lists that use them",
      );
      return [];
    }
    if (!spend(reader, budget, referent.length, scalar.place)) return [];
    return sigil === "" ? referent : referent.map((item) => ({ ...item, sigil: sigil + item.sigil }));
  });
}

function readMatrix(
  reader: SpecReader,
  node: YamlNode,
  definitions: Definitions,
  budget: Budget,
  depth: number,
): Item | undefined {
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
  if (depth > mostNested) {
    reader.problems.error("MANIFEST_INVALID", "matrices are nested too deeply", node.place);
    return undefined;
  }
  let rows: readonly (readonly Item[])[] | undefined;
  let exclude: readonly PlacedSpec[] = [];
  readKeys(reader, map, "a matrix", {
    matrix: (value) => {
      rows = expectList(reader, value, "`matrix`").map((row) =>
        row.kind === "scalar" && row.text.startsWith("$")
          ? readItems(reader, [row], definitions, budget, depth + 1)
          : readItems(reader, expectList(reader, row, "a row of a matrix"), definitions, budget, depth + 1),
      );
    },
    exclude: (value) => {
      exclude = expectList(reader, value, "`exclude`").flatMap(
        (item) => expectSpec(reader, item, "an exclusion") ?? [],
      );
    },
  });
  if (rows === undefined) {
    reader.problems.error("MANIFEST_INVALID", "this mapping is neither a matrix nor a group", node.place);
    return undefined;
  }
  return { kind: "matrix", rows, exclude, sigil: "", place: node.place };
}

/** The specs that an item stands for. */
function specsOf(reader: SpecReader, item: Item, budget: Budget, depth: number): readonly PlacedSpec[] {
  if (item.kind === "spec") {
    const { scalar, sigil } = item;
    const place =
      sigil === "" ? scalar : { ...scalar, text: sigil + scalar.text, value: sigil + scalar.text };
    return [readSpec(reader, place) ?? []].flat();
  }
  if (depth > mostNested) {
    // Matrices may be nested by references, too.
    if (spend(reader, budget, 0, item.place))
      reader.problems.error("MANIFEST_INVALID", "matrices are nested too deeply", item.place);
    budget.left = -1;
    return [];
  }
  const cellCount = item.rows.reduce((sum, row) => sum + row.length, 0);
  if (!spend(reader, budget, cellCount, item.place)) return [];
  const rows = item.rows.map((row) => row.flatMap((cell) => specsOf(reader, cell, budget, depth + 1)));
  const combinations = rows.reduce((product, row) => product * row.length, rows.length === 0 ? 0 : 1);
  if (combinations > mostSpecs) {
    reader.problems.error(
      "MANIFEST_INVALID",
      `this matrix expands to ${combinations} specs; at most ${mostSpecs} are allowed`,
      item.place,
    );
    return [];
  }
  if (!spend(reader, budget, combinations, item.place)) return [];
  const specs: PlacedSpec[] = [];
  for (let number = 0; number < combinations; number++) {
    // The last row varies fastest.
    let rest = number;
    const cells: PlacedSpec[] = [];
    for (let index = rows.length - 1; index >= 0; index--) {
      const row = rows[index] ?? [];
      const cell = row[rest % row.length];
      if (cell !== undefined) cells.unshift(cell);
      rest = Math.floor(rest / row.length);
    }
    const combined = combine(reader, cells, item.place);
    if (combined === undefined) continue;
    const { dialect } = reader;
    if (item.exclude.some((exclusion) => satisfies(combined.spec, exclusion.spec, { dialect }))) continue;
    const sigiled = item.sigil === "" ? combined : withSigil(reader, combined, item.sigil);
    if (sigiled !== undefined) specs.push(sigiled);
  }
  return specs;
}

function withSigil(reader: SpecReader, { text, place }: PlacedSpec, sigil: string): PlacedSpec | undefined {
  const full = sigil + text;
  return parsePlaced(reader, {
    kind: "scalar",
    value: full,
    text: full,
    quoted: false,
    place,
    indent: undefined,
  });
}

/** One combination: the first cell constrained by the others. */
function combine(reader: SpecReader, cells: readonly PlacedSpec[], place: Place): PlacedSpec | undefined {
  const { dialect } = reader;
  const first = cells[0];
  if (first === undefined) return undefined;
  let { spec } = first;
  for (const cell of cells.slice(1)) {
    try {
      spec = constrain(spec, cell.spec, { dialect });
    } catch (thrown) {
      if (!(thrown instanceof SpacktainersError)) throw thrown;
      const all = cells.map(({ text }) => `\`${text}\``).join(" and ");
      reader.problems.error(
        "SPEC_CONTRADICTION",
        `${all} cannot be had together: ${thrown.message}`,
        cell.place,
      );
      return undefined;
    }
  }
  return { text: cells.length === 1 ? first.text : formatSpec(spec, dialect), spec, place };
}
