/** Which packages that an index lists satisfy the specs of a command line. */
import type { CacheIndex } from "../../buildcache/types.ts";
import type { AbstractSpec, Dialect } from "../../spec/abstract.ts";
import { type ConcreteSpec, type DagHash, parseDagHash } from "../../spec/concrete.ts";
import { parseSpecs } from "../../spec/parse.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";
import { anyVersion } from "../../spec/versions.ts";
import { builtinVirtuals } from "../../spec/virtuals.ts";

/** The specs of a command line, as each generation of Spack reads them; undefined for one that cannot read them. */
export type WantedSpecs = Readonly<Record<Dialect, readonly AbstractSpec[] | undefined>>;

/**
 * Reads the specs of a command line as Spack does: what follows a package belongs to it (`hdf5 +mpi` is one spec). A whole hash may
 * be written without the slash.
 *
 * @throws {SpacktainersError} `SPEC_SYNTAX` for what no generation of Spack can read
 */
export function wantedSpecs(texts: readonly string[]): WantedSpecs {
  const text = texts.map((each) => (parseDagHash(each) === undefined ? each : `/${each}`)).join(" ");
  let failure: unknown;
  const read = (dialect: Dialect): readonly AbstractSpec[] | undefined => {
    try {
      return parseSpecs(text, { dialect });
    } catch (thrown) {
      failure ??= thrown;
      return undefined;
    }
  };
  const wanted = { "1.x": read("1.x"), "0.x": read("0.x") };
  if (wanted["1.x"] === undefined && wanted["0.x"] === undefined) throw failure;
  return wanted;
}

/**
 * The names of packages among which an index may have what is wanted: undefined for any name.
 */
export function namesWanted(index: CacheIndex, wanted: WantedSpecs): ReadonlySet<string> | undefined {
  const { generation } = index;
  const names = new Set<string>();
  const specs = generation === undefined ? undefined : wanted[generation];
  if (generation === undefined || specs === undefined) return names;
  if (specs.length === 0) return undefined;
  for (const spec of specs) {
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
  wanted: WantedSpecs,
): Generator<ConcreteSpec, void, undefined> {
  const { generation: dialect } = index;
  const constraints = dialect === undefined ? undefined : wanted[dialect];
  if (dialect === undefined || constraints === undefined) return;
  const lookup = { get: (hash: DagHash) => index.spec(hash) };
  const accepted = constraints.map((constraint) => asOwnProvider(constraint, name, index, dialect));
  for (const hash of index.hashesOf(name)) {
    if (!index.has(hash)) continue;
    const spec = index.spec(hash);
    if (spec === undefined || spec.external !== undefined) continue;
    const fits = (constraint: AbstractSpec) => concreteSatisfies(lookup, hash, constraint, { dialect });
    if (constraints.length === 0 || accepted.some(fits)) yield spec;
  }
}

/**
 * What a constraint on a virtual package asks of a provider that Spack's own recipes do not know, but that an edge in the index
 * says is one: everything but the name and the versions, which nobody can tell here. Other constraints are as they are.
 */
function asOwnProvider(
  constraint: AbstractSpec,
  name: string,
  index: CacheIndex,
  dialect: Dialect,
): AbstractSpec {
  const virtual = constraint.name;
  if (virtual === undefined || virtual === name || !index.providersOf(virtual).includes(name))
    return constraint;
  if (builtinVirtuals(dialect).provided?.(name) !== undefined) return constraint;
  return { ...constraint, name: undefined, versions: anyVersion(dialect) };
}
