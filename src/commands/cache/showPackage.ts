import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CacheIndex, FormatName } from "../../buildcache/types.ts";
import { didYouMean } from "../../definitions/nearest.ts";
import type { Dialect } from "../../spec/abstract.ts";
import { compilerOf } from "../../spec/compilerOf.ts";
import { briefSpec, type ConcreteSpec, type DagHash, type DependencyType } from "../../spec/concrete.ts";
import { formatConcrete } from "../../spec/format.ts";
import { generationOf } from "../../spec/generation.ts";
import type { Digest } from "../../util/digest.ts";
import { asSpacktainersError, type ErrorCode, SpacktainersError } from "../../util/errors.ts";
import { listedSpecs, namesWanted, wantedSpecs } from "./listedSpecs.ts";
import { variantText } from "./listPackages.ts";
import { type CacheRequest, namedCaches, readIndexes, unjudged } from "./openNamedCaches.ts";

/** A package, and who has it. */
export interface ShownPackage {
  readonly name: string;
  readonly version: string;
  readonly hash: DagHash;
  readonly namespace: string | undefined;
  /** As Spack prints it, without its dependencies. */
  readonly spec: string;
  readonly compiler: string | undefined;
  readonly platform: string;
  readonly os: string;
  readonly target: string;
  readonly variants: string;
  /** Of Spack that built it: `0.x`, `1.x`. */
  readonly generation: Dialect;
  /** Set for a spliced package: whose archive it is. */
  readonly builtAs: { readonly name: string; readonly hash: DagHash } | undefined;
  /** Direct ones, by name. */
  readonly dependencies: readonly ShownDependency[];
  /** One entry for each cache that has it, in the caches' order. */
  readonly copies: readonly ShownCopy[];
}

/** A direct dependency. */
export interface ShownDependency {
  readonly name: string;
  /** Undefined where no index has its spec. */
  readonly version: string | undefined;
  readonly hash: DagHash;
  readonly types: readonly DependencyType[];
  readonly virtuals: readonly string[];
  /** Where the system has it, for an external one whose path is known; `""` where it is not. */
  readonly external: string | undefined;
  /** The caches that list it. */
  readonly caches: readonly string[];
}

/** A package as one cache has it. */
export interface ShownCopy {
  readonly cache: string;
  readonly format: FormatName;
  /** URL or path of the archive. */
  readonly archive: string;
  readonly digest: Digest;
  /** Bytes; undefined if the cache does not report them. */
  readonly size: number | undefined;
  /** Fingerprint of the trusted key that signed; undefined where none did. */
  readonly signedBy: string | undefined;
  /** Its original prefix, from the beginning of the archive; undefined if it is not there. */
  readonly prefix: string | undefined;
  /** Why it would not be used; undefined if it would be used. */
  readonly problem: { readonly code: ErrorCode; readonly message: string } | undefined;
}

/** A command line of `cache show`. */
export interface ShowRequest extends CacheRequest {
  /** Words of one spec, or a hash. */
  readonly spec: readonly string[];
}

/** Packages named when a spec is satisfied by several. */
const mostNamed = 10;

/**
 * Shows the one package that satisfies a spec. What a cache has is shown also where its signature is refused, and why.
 *
 * @throws {SpacktainersError} `SPEC_SYNTAX`; `PACKAGE_NOT_CACHED` when no cache lists such a package; `USAGE` when several are;
 *   those of the caches when none can be read
 */
export async function showPackage(request: ShowRequest): Promise<ShownPackage> {
  const { sources, open } = await namedCaches(request);
  const [judging, looking] = [open(), open(unjudged(sources))];
  try {
    const read = await readIndexes(looking, request.emit);
    const indexes = read.flatMap(({ cache, indexes: all }) =>
      all.map((index) => ({ index, url: cache.url })),
    );
    const { spec, index } = findOne(
      request.spec,
      indexes.map(({ index: each }) => each),
    );
    const compiler = compilerOf(spec, { get: (hash: DagHash) => index.spec(hash) });
    const { name, version, hash, namespace, platform, os, target } = spec;
    return {
      name,
      version,
      hash,
      namespace,
      spec: formatConcrete(spec),
      compiler: compiler === undefined ? undefined : `${compiler.name}@${compiler.version}`,
      platform,
      os,
      target,
      variants: variantText(spec),
      generation: generationOf(spec),
      builtAs: spec.buildSpec,
      dependencies: dependenciesOf(spec, indexes),
      copies: await copiesOf(spec, index, judging, looking),
    };
  } finally {
    await judging.close();
    await looking.close();
  }
}

function findOne(
  words: readonly string[],
  indexes: readonly CacheIndex[],
): { readonly spec: ConcreteSpec; readonly index: CacheIndex } {
  const wanted = wantedSpecs(words);
  const text = words.join(" ");
  const found = new Map<DagHash, { readonly spec: ConcreteSpec; readonly index: CacheIndex }>();
  for (const index of indexes)
    for (const name of namesWanted(index, wanted) ?? index.names())
      for (const spec of listedSpecs(index, name, wanted))
        if (!found.has(spec.hash)) found.set(spec.hash, { spec, index });
  const [only] = found.values();
  if (only !== undefined && found.size === 1) return only;
  if (only === undefined) {
    const names = [...new Set(indexes.flatMap((index) => index.names()))];
    throw new SpacktainersError("PACKAGE_NOT_CACHED", `no cache lists a package that satisfies \`${text}\``, {
      hint: didYouMean(text, names) ?? "to list the packages: spacktainers cache list",
    });
  }
  const named = [...found.values()].map(({ spec }) => briefSpec(spec)).sort();
  const more = named.length > mostNamed ? ` and ${named.length - mostNamed} more` : "";
  throw new SpacktainersError("USAGE", `${named.length} packages satisfy \`${text}\``, {
    hint: `name one by its hash: ${named.slice(0, mostNamed).join(", ")}${more}`,
  });
}

function dependenciesOf(
  spec: ConcreteSpec,
  indexes: readonly { readonly index: CacheIndex; readonly url: string }[],
): readonly ShownDependency[] {
  return spec.dependencies
    .map(({ name, hash, types, virtuals }): ShownDependency => {
      const known = indexes.map(({ index }) => index.spec(hash)).find((each) => each !== undefined);
      return {
        name,
        version: known?.version,
        hash,
        types: [...types].sort(),
        virtuals,
        external: known?.external === undefined ? undefined : (known.external.path ?? ""),
        caches: [...new Set(indexes.filter(({ index }) => index.has(hash)).map(({ url }) => url))],
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.hash < b.hash ? -1 : 1));
}

async function copiesOf(
  spec: ConcreteSpec,
  index: CacheIndex,
  judging: CacheSet,
  looking: CacheSet,
): Promise<readonly ShownCopy[]> {
  const lookup = (hash: DagHash) => index.spec(hash);
  const copies = await Promise.all(
    judging.caches.map(async (judge, at): Promise<ShownCopy | undefined> => {
      const looker = looking.caches[at];
      if (looker === undefined) return undefined;
      let problem: ShownCopy["problem"];
      const trusted = await judge.findPackage(spec, lookup).catch((thrown: unknown) => {
        if (!(thrown instanceof SpacktainersError) || thrown.code === "INTERRUPTED") throw thrown;
        problem = { code: thrown.code, message: thrown.message };
        return undefined;
      });
      const pkg = trusted ?? (await looker.findPackage(spec, lookup).catch(() => undefined));
      if (pkg === undefined) return undefined;
      const { cacheUrl: cache, format, archiveUrl: archive, digest, signedBy } = pkg;
      const [size, prefix] = await Promise.all([
        looker.archiveSize(pkg).catch(() => undefined),
        looker.archivePrefix(pkg).catch(() => undefined),
      ]);
      await looker.fetchArchiveHead(pkg, 1).catch((thrown: unknown) => {
        const { code, message } = asSpacktainersError(thrown);
        if (code === "INTERRUPTED") throw thrown;
        problem ??= { code, message: `its archive: ${message}` };
      });
      return { cache, format, archive, digest, size, signedBy, prefix, problem };
    }),
  );
  return copies.filter((copy) => copy !== undefined);
}
