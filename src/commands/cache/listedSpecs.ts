/** Which packages that an index lists satisfy the specs of a command line. */
import type { CacheIndex } from "../../buildcache/types.ts";
import type { AbstractSpec, Dialect } from "../../spec/abstract.ts";
import { type ConcreteSpec, type DagHash, parseDagHash } from "../../spec/concrete.ts";
import { parseSpec } from "../../spec/parse.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";
import { builtinVirtuals } from "../../spec/virtuals.ts";
import { errorsOf, oneError, type SpacktainersError } from "../../util/errors.ts";

/** A spec of a command line, as each generation of Spack reads it; undefined for one that cannot read it. */
export interface WantedSpec {
  readonly text: string;
  readonly parsed: Readonly<Record<Dialect, AbstractSpec | undefined>>;
}

/**
 * Reads specs of a command line. A hash may be written without the slash, and as its beginning with one.
 *
 * @throws {SpacktainersError} `SPEC_SYNTAX` for what no generation of Spack can read
 */
export function wantedSpecs(texts: readonly string[]): readonly WantedSpec[] {
  const errors: SpacktainersError[] = [];
  const wanted = texts.map((given): WantedSpec => {
    const text = parseDagHash(given) === undefined ? given : `/${given}`;
    const failures: unknown[] = [];
    const read = (dialect: Dialect): AbstractSpec | undefined => {
      try {
        return parseSpec(text, { dialect });
      } catch (thrown) {
        failures.push(thrown);
        return undefined;
      }
    };
    const parsed = { "1.x": read("1.x"), "0.x": read("0.x") };
    if (failures.length === 2) errors.push(...errorsOf(failures[0]));
    return { text: given, parsed };
  });
  if (errors.length > 0) throw oneError(errors);
  return wanted;
}

/**
 * The names of packages among which an index may have what is wanted: undefined for any name.
 */
export function namesWanted(
  index: CacheIndex,
  wanted: readonly WantedSpec[],
): ReadonlySet<string> | undefined {
  if (wanted.length === 0) return undefined;
  const { generation } = index;
  const names = new Set<string>();
  if (generation === undefined) return names;
  for (const { parsed } of wanted) {
    const spec = parsed[generation];
    if (spec === undefined) continue;
    if (spec.name !== undefined) {
      names.add(spec.name);
      for (const provider of providersOf(index, spec.name, generation)) names.add(provider);
    } else if (spec.hash !== undefined) {
      for (const hash of index.hashesWithPrefix(spec.hash)) names.add(index.spec(hash)?.name ?? "");
    } else return undefined;
  }
  return names;
}

function providersOf(index: CacheIndex, virtual: string, dialect: Dialect): readonly string[] {
  return [...index.providersOf(virtual), ...(builtinVirtuals(dialect).providersOf?.(virtual) ?? [])];
}

/**
 * What an index lists as downloadable of a name and is wanted, in no order.
 *
 * @param wanted any of them; none: everything
 */
export function* listedSpecs(
  index: CacheIndex,
  name: string,
  wanted: readonly WantedSpec[],
): Generator<ConcreteSpec, void, undefined> {
  const { generation: dialect } = index;
  if (dialect === undefined) return;
  const lookup = { get: (hash: DagHash) => index.spec(hash) };
  const constraints = wanted.flatMap(({ parsed }) => parsed[dialect] ?? []);
  for (const hash of index.hashesOf(name)) {
    if (!index.has(hash)) continue;
    const spec = index.spec(hash);
    if (spec === undefined || spec.external !== undefined) continue;
    const fits = (constraint: AbstractSpec) => concreteSatisfies(lookup, hash, constraint, { dialect });
    if (wanted.length === 0 || constraints.some(fits)) yield spec;
  }
}
