/** The specs that items of lists stand for: matrices are multiplied out. */
import type { YamlScalar } from "../definitions/positionedYaml.ts";
import type { AbstractSpec, Dialect } from "../spec/abstract.ts";
import { constrain } from "../spec/constrain.ts";
import { formatSpec } from "../spec/format.ts";
import { satisfies } from "../spec/satisfies.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { type Budget, type SpecItem, spend } from "./specItems.ts";
import { parsePlaced, readSpec, type SpecReader } from "./specReader.ts";
import type { PlacedSpec } from "./types.ts";

/** Most combinations of one matrix. */
const mostCombinations = 10_000;
/** Matrices in matrices. */
const mostNested = 8;

/** The specs that an item stands for. */
export function specsOf(reader: SpecReader, item: SpecItem, budget: Budget): readonly PlacedSpec[] {
  if (item.kind === "spec") {
    const { scalar, sigil } = item;
    const text = sigil + scalar.text;
    return [readSpec(reader, sigil === "" ? scalar : { ...scalar, text, value: text }) ?? []].flat();
  }
  return combinations(reader, item, budget, 0).flatMap(({ combined }) => {
    if (item.sigil === "" && reader.toolchains.size === 0) return combined;
    return parsePlaced(reader, textAt(item.sigil + combined.text, combined.place)) ?? [];
  });
}

type Matrix = Extract<SpecItem, { kind: "matrix" }>;

/** A combination: its cells, and what they are together. */
interface Combination {
  readonly cells: readonly PlacedSpec[];
  readonly combined: PlacedSpec;
}

/** The combinations of a matrix that are not excluded. */
function combinations(
  reader: SpecReader,
  matrix: Matrix,
  budget: Budget,
  depth: number,
): readonly Combination[] {
  const { problems, dialect } = reader;
  const { place } = matrix;
  if (depth > mostNested) {
    if (spend(reader, budget, 0, place))
      problems.error("MANIFEST_INVALID", "matrices are nested too deeply", place);
    budget.left = -1;
    return [];
  }
  const cellCount = matrix.rows.reduce((sum, row) => sum + row.length, 0);
  if (!spend(reader, budget, cellCount, place)) return [];
  const rows = matrix.rows.map((row) => row.flatMap((cell) => textsOf(reader, cell, budget, depth)));
  const count = rows.reduce((product, row) => product * row.length, 1);
  if (count > mostCombinations) {
    problems.error(
      "MANIFEST_INVALID",
      `this matrix expands to ${count} specs; at most ${mostCombinations} are allowed`,
      place,
    );
    return [];
  }
  // As in Spack, the texts of rows and exclusions are read only where they are combined.
  if (count === 0 || !spend(reader, budget, count, place)) return [];
  // Toolchains are words like others here: what they stand for is not asked before packages are chosen.
  const plain: SpecReader = { ...reader, toolchains: new Map() };
  const cells = rows.map((row) => row.flatMap((scalar) => readSpec(plain, scalar) ?? []));
  if (cells.some((row, index) => row.length < (rows[index]?.length ?? 0))) return [];
  const exclude = matrix.exclude.flatMap((scalar) => readSpec(plain, scalar)?.spec ?? []);
  const found: Combination[] = [];
  for (let number = 0; number < count; number++) {
    const each = cellsOf(cells, number);
    const combined = combine(reader, each, place);
    if (combined !== undefined && !isExcluded(combined.spec, exclude, dialect))
      found.push({ cells: each, combined });
  }
  return found;
}

/**
 * The texts that a cell of a row stands for. Those of the cells of an inner matrix stand side by side: what they say twice is
 * said twice.
 */
function textsOf(reader: SpecReader, cell: SpecItem, budget: Budget, depth: number): readonly YamlScalar[] {
  const { sigil } = cell;
  if (cell.kind === "spec") {
    const text = sigil + cell.scalar.text;
    return [sigil === "" ? cell.scalar : { ...cell.scalar, text, value: text }];
  }
  return combinations(reader, cell, budget, depth + 1).map(({ cells, combined }) =>
    textAt(sigil + cells.map(({ spec }) => formatSpec(spec, reader.dialect)).join(" "), combined.place),
  );
}

function isExcluded(spec: AbstractSpec, exclude: readonly AbstractSpec[], dialect: Dialect): boolean {
  const own = dialect === "0.x" ? withDefiniteVariants(spec) : spec;
  return exclude.some((each) => satisfies(own, each, { dialect }));
}

/**
 * To 0.x, a variant that was only written down may still become anything. Before it excludes, it looks into the recipe what
 * kind of variant it is; then it has the values that were written, and no others.
 */
function withDefiniteVariants(spec: AbstractSpec): AbstractSpec {
  const variants = [...spec.variants].map(
    ([name, variant]) => [name, variant.kind === "multi" ? { ...variant, exact: true } : variant] as const,
  );
  return { ...spec, variants: new Map(variants) };
}

/** The cells of a combination. The last row varies fastest. */
function cellsOf(rows: readonly (readonly PlacedSpec[])[], number: number): readonly PlacedSpec[] {
  let rest = number;
  const cells: PlacedSpec[] = [];
  for (const row of rows.toReversed()) {
    const cell = row[rest % row.length];
    if (cell !== undefined) cells.unshift(cell);
    rest = Math.floor(rest / row.length);
  }
  return cells;
}

function textAt(text: string, place: Place): YamlScalar {
  return { kind: "scalar", value: text, text, quoted: false, place, indent: undefined };
}

/** One combination: the first cell constrained by the others. */
function combine(reader: SpecReader, cells: readonly PlacedSpec[], place: Place): PlacedSpec | undefined {
  const { dialect, problems } = reader;
  const first = cells[0];
  if (first === undefined) return undefined;
  let { spec } = first;
  for (const cell of cells.slice(1)) {
    try {
      spec = constrain(spec, cell.spec, { dialect });
    } catch (thrown) {
      if (!(thrown instanceof SpacktainersError)) throw thrown;
      const all = cells.map(({ text }) => `\`${text}\``).join(" and ");
      problems.error("SPEC_CONTRADICTION", `${all} cannot be combined: ${thrown.message}`, cell.place);
      return undefined;
    }
  }
  if (spec.name === undefined && spec.variants.size > 0) {
    // Spack looks the variants up in the recipe, and there is none.
    problems.error(
      "MANIFEST_INVALID",
      `\`${formatSpec(spec, dialect)}\` sets variants of no package: Spack cannot multiply out such a matrix`,
      place,
      "name the packages in a row of this matrix",
    );
    return undefined;
  }
  return { text: cells.length === 1 ? first.text : formatSpec(spec, dialect), spec, place };
}
