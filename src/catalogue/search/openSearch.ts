/** The search of a catalogue: which containers have packages that satisfy specs. Runs in the browser, and in tests. */
import type { AbstractSpec, Dialect } from "../../spec/abstract.ts";
import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";
import { generationOf } from "../../spec/generation.ts";
import { parseSpec, parseSpecs } from "../../spec/parse.ts";
import { openSatisfies } from "../../spec/satisfies.ts";
import { builtinVirtuals } from "../../spec/virtuals.ts";
import { openPackages, type SearchData } from "./searchData.ts";

/** An image that was found. */
export interface MatchingImage {
  readonly image: number;
  /** How many of its packages satisfy one of the specs. */
  readonly count: number;
  /** The first of them. */
  readonly packages: readonly ConcreteSpec[];
}

/** A container that was found. */
export interface FoundContainer {
  /** Its number in the data. */
  readonly container: number;
  /** Its name or its description has the words. */
  readonly byName: boolean;
  /** Images that have packages for every spec, by number. */
  readonly images: readonly MatchingImage[];
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
  /**
   * Makes a part of the packages ready, so that the first search need not: rows from `from` on.
   * @returns whether there are more
   */
  prepare(from: number, count: number): boolean;
  /** Rows of the packages that satisfy one spec, ascending. @throws SpacktainersError SPEC_SYNTAX */
  satisfying(spec: string): readonly number[];
}

/** More names of packages are not suggested. */
const mostNames = 20;

/** So many packages of an image are named. */
const mostPackages = 8;

const dialects: readonly Dialect[] = ["1.x", "0.x"];

/** Questions of each kind: what they need is then ready, and the browser has compiled the code that answers. */
const rehearsal: readonly string[] = [
  "@0:",
  "+shared",
  "target=x86_64:",
  "%gcc@1:",
  "mpi",
  "^zlib",
  "^mpi %gcc@1:",
];

/** Whether the package of a hash satisfies a spec. */
type Check = (hash: DagHash) => boolean;

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
  let allByDialect: ReadonlyMap<Dialect, readonly number[]> | undefined;
  function allOf(dialect: Dialect): readonly number[] {
    allByDialect ??= new Map(
      dialects.map((each) => [
        each,
        all.filter((row) => {
          const spec = packages.at(row);
          return spec !== undefined && generationOf(spec) === each;
        }),
      ]),
    );
    return allByDialect.get(dialect) ?? [];
  }

  function flagsOf(rows: readonly number[]): Uint8Array {
    const flags = new Uint8Array(data.packages.length);
    for (const row of rows) flags[row] = 1;
    return flags;
  }

  function candidates({ name }: AbstractSpec, dialect: Dialect): readonly number[] {
    // Any package may provide what several can.
    if (name === undefined || builtinVirtuals(dialect).isVirtual(name)) return allOf(dialect);
    return byName.get(name) ?? [];
  }

  function rowsOf(readings: Readings, at: number): readonly number[] {
    const found = new Set<number>();
    for (const [dialect, specs] of readings) {
      const wanted = specs[at];
      if (wanted === undefined) continue;
      const check = checks(dialect)(wanted);
      for (const row of candidates(wanted, dialect)) {
        const spec = packages.at(row);
        if (spec === undefined || generationOf(spec) !== dialect) continue;
        if (isAllowed(spec.hash, check)) found.add(row);
      }
    }
    return [...found].sort((a, b) => a - b);
  }

  const opened = new Map<Dialect, ReturnType<typeof openSatisfies>>();
  function checks(dialect: Dialect): ReturnType<typeof openSatisfies> {
    const known = opened.get(dialect) ?? openSatisfies(packages, { dialect });
    opened.set(dialect, known);
    return known;
  }

  const rehearsals = new Map<Dialect, readonly Check[]>();
  function rehearsed(dialect: Dialect): readonly Check[] {
    const known =
      rehearsals.get(dialect) ?? rehearsal.map((text) => checks(dialect)(parseSpec(text, { dialect })));
    rehearsals.set(dialect, known);
    return known;
  }

  function isAllowed(hash: DagHash, check: Check): boolean {
    try {
      return check(hash);
    } catch {
      // A package whose version is none, of somebody who means harm, must not end the search for others.
      return false;
    }
  }

  /** By spec, for each row 1 if it satisfies the spec. */
  function imagesWith(flags: readonly Uint8Array[], container: number): readonly MatchingImage[] {
    const found: MatchingImage[] = [];
    for (const [image, inside] of (members[container] ?? []).entries()) {
      const rows: number[] = [];
      let count = 0;
      const isComplete = flags.every((flag) => {
        const before = count;
        let named = 0;
        for (const row of inside) {
          if (flag[row] !== 1) continue;
          count++;
          // Of each spec some.
          if (named * flags.length < mostPackages && !rows.includes(row)) {
            rows.push(row);
            named++;
          }
        }
        return count > before;
      });
      if (isComplete) found.push({ image, count, packages: rows.flatMap((row) => packages.at(row) ?? []) });
    }
    return found;
  }

  return {
    find(words) {
      const text = words.trim();
      const { readings, problem } = readSpecs(text);
      const count = Math.max(0, ...[...readings.values()].map((specs) => specs.length));
      const rows = Array.from({ length: count }, (_, at) => flagsOf(rowsOf(readings, at)));
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
    prepare(from, count) {
      for (const row of all.slice(from, from + count)) {
        const spec = packages.at(row);
        const dialect = spec && generationOf(spec);
        if (spec === undefined || dialect === undefined) continue;
        for (const check of rehearsed(dialect)) isAllowed(spec.hash, check);
      }
      return from + count < all.length;
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
