/** The search of a catalogue: which containers have packages that satisfy specs. Runs in the browser, and in tests. */
import type { AbstractSpec, Dialect } from "../../spec/abstract.ts";
import type { ConcreteSpec } from "../../spec/concrete.ts";
import { generationOf } from "../../spec/generation.ts";
import { parseSpecs } from "../../spec/parse.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";
import { builtinVirtuals } from "../../spec/virtuals.ts";
import { openPackages, type SearchData } from "./searchData.ts";

/** A container that was found. */
export interface FoundContainer {
  /** Its number in the data. */
  readonly container: number;
  /** Its name or its description has the words. */
  readonly byName: boolean;
  /** Images that have packages for every spec, by number, and those packages. */
  readonly images: readonly { readonly image: number; readonly packages: readonly ConcreteSpec[] }[];
}

/** What a search found. */
export interface SearchAnswer {
  /** In the order of the data. */
  readonly containers: readonly FoundContainer[];
  /** Names of packages that have the word in them; empty for specs that say more than a name. */
  readonly names: readonly string[];
  /** Why the words are no specs; undefined: they are. */
  readonly problem: string | undefined;
}

/** Asks the data. */
export interface CatalogueSearch {
  /** What satisfies the words: specs as on Spack's command line, of which an image must have all; or part of a name. */
  find(words: string): SearchAnswer;
  /** Rows of the packages that satisfy one spec, ascending. @throws SpacktainersError SPEC_SYNTAX */
  satisfying(spec: string): readonly number[];
}

/** More names of packages are not suggested. */
const mostNames = 20;

const dialects: readonly Dialect[] = ["1.x", "0.x"];

/** Specs as each generation of Spack reads them; undefined where one cannot. */
type Readings = ReadonlyMap<Dialect, readonly AbstractSpec[]>;

/** Opens data for searches. */
export function openSearch(data: SearchData): CatalogueSearch {
  const packages = openPackages(data);
  const byName = new Map<string, number[]>();
  for (const [row, [, name]] of data.packages.entries()) {
    const text = data.strings[name] ?? "";
    const known = byName.get(text);
    if (known === undefined) byName.set(text, [row]);
    else known.push(row);
  }
  const members = data.containers.map(({ images }) =>
    images.map((image) => {
      let row = 0;
      return image.packages.map((step) => {
        row += step;
        return row;
      });
    }),
  );
  const all = data.packages.map((_, row) => row);

  function candidates({ name }: AbstractSpec, dialect: Dialect): readonly number[] {
    // Any package may provide what several can.
    if (name === undefined || builtinVirtuals(dialect).isVirtual(name)) return all;
    return byName.get(name) ?? [];
  }

  function rowsOf(readings: Readings, at: number): readonly number[] {
    const found = new Set<number>();
    for (const [dialect, specs] of readings) {
      const wanted = specs[at];
      if (wanted === undefined) continue;
      for (const row of candidates(wanted, dialect)) {
        const spec = packages.at(row);
        if (spec === undefined || generationOf(spec) !== dialect) continue;
        if (isAllowed(spec, wanted, dialect)) found.add(row);
      }
    }
    return [...found].sort((a, b) => a - b);
  }

  function isAllowed({ hash }: ConcreteSpec, wanted: AbstractSpec, dialect: Dialect): boolean {
    try {
      return concreteSatisfies(packages, hash, wanted, { dialect });
    } catch {
      // A package whose version is none, of somebody who means harm, must not end the search for others.
      return false;
    }
  }

  function imagesWith(rows: readonly ReadonlySet<number>[], container: number): FoundContainer["images"] {
    return (members[container] ?? []).flatMap((inside, image) => {
      const kept = rows.map((wanted) => inside.filter((row) => wanted.has(row)));
      if (kept.some((some) => some.length === 0)) return [];
      return [{ image, packages: [...new Set(kept.flat())].flatMap((row) => packages.at(row) ?? []) }];
    });
  }

  return {
    find(words) {
      const text = words.trim();
      const { readings, problem } = readSpecs(text);
      const count = Math.max(0, ...[...readings.values()].map((specs) => specs.length));
      const rows = Array.from({ length: count }, (_, at) => new Set(rowsOf(readings, at)));
      const low = text.toLowerCase();
      const isWord = /^[\w.+-]+$/.test(text);
      const containers = data.containers.flatMap(({ name, description }, container): FoundContainer[] => {
        const images = count === 0 ? [] : imagesWith(rows, container);
        const isNamed =
          low !== "" && (name.toLowerCase().includes(low) || description.toLowerCase().includes(low));
        return images.length === 0 && !isNamed ? [] : [{ container, byName: isNamed, images }];
      });
      const names = isWord ? [...byName.keys()].filter((name) => name.includes(low)).slice(0, mostNames) : [];
      return { containers, names, problem: problem?.text };
    },
    satisfying(spec) {
      const { readings, problem } = readSpecs(spec);
      if (readings.size === 0 && problem !== undefined) throw problem.cause;
      return rowsOf(readings, 0);
    },
  };
}

function readSpecs(text: string): {
  readonly readings: Readings;
  readonly problem: { readonly text: string; readonly cause: unknown } | undefined;
} {
  const readings = new Map<Dialect, readonly AbstractSpec[]>();
  let problem: { readonly text: string; readonly cause: unknown } | undefined;
  for (const dialect of dialects)
    try {
      readings.set(dialect, parseSpecs(text, { dialect }));
    } catch (cause) {
      problem ??= { text: cause instanceof Error ? cause.message : String(cause), cause };
    }
  return { readings, problem: readings.size === 0 ? problem : undefined };
}
