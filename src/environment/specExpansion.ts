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
  return expand(reader, item, budget, 0);
}

function expand(reader: SpecReader, item: SpecItem, budget: Budget, depth: number): readonly PlacedSpec[] {
  if (item.kind === "spec") {
    const { scalar, sigil } = item;
    const text = sigil + scalar.text;
    return [readSpec(reader, sigil === "" ? scalar : { ...scalar, text, value: text }) ?? []].flat();
  }
  if (depth > mostNested) {
    if (spend(reader, budget, 0, item.place))
      reader.problems.error("MANIFEST_INVALID", "matrices are nested too deeply", item.place);
    budget.left = -1;
    return [];
  }
  const cellCount = item.rows.reduce((sum, row) => sum + row.length, 0);
  if (!spend(reader, budget, cellCount, item.place)) return [];
  // Toolchains are words like others here: what they stand for is not asked before packages are chosen.
  const plain: SpecReader = { ...reader, toolchains: new Map() };
  const rows = item.rows.map((row) => row.flatMap((cell) => expand(plain, cell, budget, depth + 1)));
  const count = rows.reduce((product, row) => product * row.length, 1);
  if (count > mostCombinations) {
    reader.problems.error(
      "MANIFEST_INVALID",
      `this matrix expands to ${count} specs; at most ${mostCombinations} are allowed`,
      item.place,
    );
    return [];
  }
  if (!spend(reader, budget, count, item.place)) return [];
  const exclude = count === 0 ? [] : exclusions(plain, item.exclude);
  const specs: PlacedSpec[] = [];
  for (let number = 0; number < count; number++) {
    const combined = combine(reader, cellsOf(rows, number), item.place);
    if (combined === undefined) continue;
    if (isExcluded(combined.spec, exclude, reader.dialect)) continue;
    const text = item.sigil + combined.text;
    const whole =
      item.sigil === "" && reader.toolchains.size === 0
        ? combined
        : parsePlaced(reader, { ...textAt(combined.place), text, value: text });
    if (whole !== undefined) specs.push(whole);
  }
  return specs;
}

function exclusions(reader: SpecReader, texts: readonly YamlScalar[]): readonly AbstractSpec[] {
  return texts.flatMap((scalar) => readSpec(reader, scalar)?.spec ?? []);
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

function textAt(place: Place): YamlScalar {
  return { kind: "scalar", value: "", text: "", quoted: false, place, indent: undefined };
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
      problems.error("SPEC_CONTRADICTION", `${all} cannot be had together: ${thrown.message}`, cell.place);
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
