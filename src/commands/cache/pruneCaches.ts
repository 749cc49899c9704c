import { openCacheWriter } from "../../buildcache/formats/openWriter.ts";
import type { CacheWriter, Orphan, StoredPackage } from "../../buildcache/formats/writer.ts";
import type { CacheIndex, CacheSource, FormatName } from "../../buildcache/types.ts";
import { briefSpec, type ConcreteSpec, type DagHash } from "../../spec/concrete.ts";
import { type Clock, systemClock } from "../../util/clock.ts";
import { oneError, SpacktainersError } from "../../util/errors.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { brokenClosures } from "./brokenClosures.ts";
import { listedSpecs, namesWanted, wantedSpecs } from "./listedSpecs.ts";
import { type NamedNeed, namedNeeds } from "./namedNeeds.ts";
import { type CacheRequest, namedCaches, unjudged } from "./openNamedCaches.ts";
import { type KeepReason, planPrune, type StoredNode } from "./prunePlan.ts";
import { pushedSources } from "./pushedSources.ts";

/** A command line of `cache prune`. */
export interface PruneRequest extends CacheRequest {
  /** Repositories, locks and images whose packages stay, besides those of this repository. */
  readonly keep: readonly string[];
  /** Specs whose packages stay. */
  readonly keepSpecs: readonly string[];
  /** Whether the images count that are published by the repositories' registries. */
  readonly images: boolean;
  /** What is younger stays, in hours. */
  readonly grace: number;
  /** Let go of what was only needed to build. */
  readonly runtimeOnly: boolean;
  /** Go on though nothing at all is named that needs packages. */
  readonly allowEmpty: boolean;
  /** Remove; else only say what would be removed. */
  readonly remove: boolean;
}

/** A package that goes or stays. */
export interface PrunedPackage {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly hash: DagHash;
  readonly format: FormatName;
  /** Bytes of the archive; only for packages that are removed, and undefined if the cache does not report them. */
  readonly size: number | undefined;
  /** When it was written, ISO 8601; undefined where the cache does not say. */
  readonly modified: string | undefined;
  /** Why the package stays; undefined for packages that are removed. */
  readonly reason: KeepReason | undefined;
}

/** What is to happen to one cache. */
export interface CachePrune {
  readonly cache: string;
  readonly keep: readonly PrunedPackage[];
  readonly remove: readonly PrunedPackage[];
  /** Files that nothing names and that are older than the grace period: remains of killed pushes, replaced indexes. */
  readonly orphans: readonly { readonly path: string; readonly size: number | undefined }[];
  /** Bytes that the removal of all of that frees, as far as the cache reports them. Archives that packages share count once. */
  readonly bytes: number;
}

/** What is to happen, before anything does. */
export interface PruneAnnouncement {
  readonly needs: readonly {
    readonly kind: NamedNeed["kind"];
    readonly label: string;
    readonly packages: number;
  }[];
  readonly caches: readonly CachePrune[];
  /** Why nothing may be removed. */
  readonly problems: readonly SpacktainersError[];
}

/** What was done. */
export interface PruneOutcome {
  readonly cache: string;
  readonly removed: number;
  /** Packages that were to be removed but stay, because something needs them in the meantime. */
  readonly spared: number;
  readonly orphans: number;
  /** Bytes that were freed, as far as the cache reports them. */
  readonly bytes: number;
}

/** Questions to a cache at a time. */
const questionsAtOnce = 16;

/** Before so many packages are removed, it is looked again who needs what. */
const removedAtOnce = 1000;

/**
 * Finds out which packages of caches are needed by nothing that is named, says so, and removes them if asked to.
 *
 * What is needed: everything that a lock, a published image or the command line names, what is young, and whatever any of it depends
 * on. Before packages are removed, the cache is listed again, and what a push has brought meanwhile counts, too; in the end it is
 * listed once more, and anything that is incomplete is an error.
 *
 * @param announce called before anything is removed
 * @returns nothing when nothing was to be removed
 * @throws {SpacktainersError} when something is in the way of telling what is needed, and packages were to be removed; of the caches
 */
export async function pruneCaches(
  request: PruneRequest,
  announce: (announcement: PruneAnnouncement) => void,
  clock: Clock = systemClock,
): Promise<readonly PruneOutcome[]> {
  const { emit, signal } = request;
  const named = await namedCaches(request);
  const { repository, open } = named;
  const targets = pushedSources(named, request);
  const choosing = open();
  const looking = open(unjudged(targets));
  const writers = targets.map((source) => writerFor(source, request, clock));
  try {
    const { needs: found, problems } = await namedNeeds(repository, choosing, request);
    const indexes = await Promise.all(
      looking.caches.map((cache) => cache.indexes().catch((): readonly CacheIndex[] => [])),
    );
    const needs = [...found, ...specNeeds(request.keepSpecs, indexes.flat())];
    emit({ type: "stage", stage: "list-packages" });
    const all = await Promise.all(
      writers.map((writer, at) => openWork(writer, { indexes: indexes[at] ?? [], needs, request, clock })),
    );
    const blocked = needs.length === 0 && !request.allowEmpty ? [...problems, nothingNamed()] : [...problems];
    announce({
      needs: needs.map(({ kind, label, specs }) => ({ kind, label, packages: specs.size })),
      caches: all.map(({ announced }) => announced),
      problems: blocked,
    });
    if (!request.remove) return [];
    if (blocked.length > 0) throw oneError(blocked);
    emit({ type: "stage", stage: "remove-packages" });
    const outcomes: PruneOutcome[] = [];
    for (const work of all) outcomes.push(await work.carryOut(signal));
    return outcomes;
  } finally {
    await Promise.all([choosing.close(), looking.close(), ...writers.map((writer) => writer.close())]);
  }
}

function writerFor(source: CacheSource, { emit, signal }: PruneRequest, clock: Clock): CacheWriter {
  // Nothing is signed by removing, and what nobody trusts may go as well.
  const loose = { ...source, keys: [], unsigned: true };
  return openCacheWriter(loose, { signer: undefined }, { emit, signal, clock });
}

function nothingNamed(): SpacktainersError {
  return new SpacktainersError("USAGE", "nothing names packages to keep, so everything would be removed", {
    hint: "run it in the repository that has the definitions, or name what to keep: --keep REPOSITORY, --keep LOCK, --keep docker://IMAGE, --keep-spec SPEC",
  });
}

function specNeeds(texts: readonly string[], indexes: readonly CacheIndex[]): readonly NamedNeed[] {
  return texts.map((text) => {
    const wanted = wantedSpecs([text]);
    const specs = new Map<DagHash, ConcreteSpec>();
    for (const index of indexes)
      for (const name of namesWanted(index, wanted) ?? index.names())
        for (const spec of listedSpecs(index, name, wanted)) specs.set(spec.hash, spec);
    return { kind: "spec", label: `the spec ${text}`, specs, roots: [...specs.keys()] };
  });
}

/** The work on one cache. */
interface CacheWork {
  readonly announced: CachePrune;
  carryOut(signal: AbortSignal): Promise<PruneOutcome>;
}

/** What pruning works with. */
interface PruningWork {
  readonly indexes: readonly CacheIndex[];
  readonly needs: readonly NamedNeed[];
  readonly request: PruneRequest;
  readonly clock: Clock;
}

async function openWork(
  writer: CacheWriter,
  { indexes, needs, request, clock }: PruningWork,
): Promise<CacheWork> {
  const grace = request.grace * 3_600_000;
  const described = new Map<
    string,
    { readonly spec: ConcreteSpec | undefined; readonly size: number | undefined }
  >();
  const indexed = (hash: DagHash): ConcreteSpec | undefined => {
    for (const index of indexes) {
      const spec = index.spec(hash);
      if (spec !== undefined) return spec;
    }
    return undefined;
  };
  /** What a cache says of a package; asked once. */
  const describe = async (stored: StoredPackage) => {
    const known = described.get(stored.path);
    if (known !== undefined) return known;
    const facts = await writer.describe(stored).then(
      ({ spec, archive }) => ({ spec, size: archive.size }),
      (thrown: unknown) => {
        const passing = ["NETWORK", "ACCESS_DENIED", "INTERRUPTED"];
        if (!(thrown instanceof SpacktainersError) || passing.includes(thrown.code)) throw thrown;
        return { spec: undefined, size: undefined };
      },
    );
    described.set(stored.path, facts);
    return facts;
  };
  const look = async (): Promise<readonly StoredNode[]> => {
    const stored: StoredPackage[] = [];
    for await (const one of writer.list()) stored.push(one);
    return mapConcurrently(stored, questionsAtOnce, async (one) => {
      stopIfAborted(request.signal);
      return { stored: one, spec: indexed(one.hash) ?? (await describe(one)).spec };
    });
  };
  const plan = (stored: readonly StoredNode[]) =>
    planPrune({ stored, needs, spec: indexed, now: clock(), grace, runtimeOnly: request.runtimeOnly });

  const stored = await look();
  const first = plan(stored);
  const sizes = new Map<string, number | undefined>();
  await mapConcurrently(first.remove, questionsAtOnce, async ({ stored: one }) => {
    sizes.set(one.path, (await describe(one)).size);
  });
  const orphans = await oldOrphans(writer, clock() - grace);
  const shown = ({ stored: one, spec }: StoredNode): PrunedPackage => ({
    name: spec?.name,
    version: spec?.version,
    hash: one.hash,
    format: one.format,
    size: sizes.get(one.path),
    modified: one.modified === undefined ? undefined : new Date(one.modified).toISOString(),
    reason: first.keep.get(one.hash),
  });
  const inOrder = (nodes: readonly StoredNode[]) =>
    nodes.map(shown).sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  const bytes = [
    ...first.remove.map(({ stored: one }) => sizes.get(one.path)),
    ...orphans.map(({ size }) => size),
  ];
  return {
    announced: {
      cache: writer.url,
      keep: inOrder(stored.filter(({ stored: one }) => first.keep.has(one.hash))),
      remove: inOrder(first.remove),
      orphans: orphans.map(({ path, size }) => ({ path, size })),
      bytes: bytes.reduce<number>((sum, size) => sum + (size ?? 0), 0),
    },
    async carryOut(signal) {
      const announced = new Set(first.remove.map(({ stored: one }) => one.path));
      const tried = new Set<string>();
      const removed = new Set<DagHash>();
      let freed = 0;
      let done = 0;
      let spared = 0;
      // Each time what is there now decides; what was not announced is not removed.
      for (;;) {
        stopIfAborted(signal);
        const due = plan(await look()).remove.filter(
          ({ stored: one }) => announced.has(one.path) && !tried.has(one.path),
        );
        const batch = due.slice(0, removedAtOnce).map(({ stored: one }) => one);
        spared = announced.size - done - due.length;
        if (batch.length === 0) break;
        freed += (await writer.remove(batch)).bytes;
        done += batch.length;
        for (const { hash, path } of batch) {
          removed.add(hash);
          tried.add(path);
        }
      }
      const rest = await oldOrphans(writer, clock() - grace);
      const named = new Set(orphans.map(({ path }) => path));
      const due = rest.filter(({ path }) => named.has(path));
      if (due.length > 0) freed += (await writer.removeOrphans(due)).bytes;
      const broken = brokenClosures(await look(), removed);
      if (broken.length > 0) throw oneError(broken);
      return { cache: writer.url, removed: done, spared, orphans: due.length, bytes: freed };
    },
  };
}

/** What nothing names and is older than a moment; what has no age is taken for young. */
async function oldOrphans(writer: CacheWriter, before: number): Promise<readonly Orphan[]> {
  const found: Orphan[] = [];
  for await (const orphan of writer.orphans())
    if (orphan.modified !== undefined && orphan.modified <= before) found.push(orphan);
  return found;
}

function sortKey({ name, version, hash }: PrunedPackage): string {
  return name === undefined ? `~${hash}` : briefSpec({ name, version: version ?? "", hash });
}
