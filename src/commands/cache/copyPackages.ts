import { availableParallelism } from "node:os";
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { CacheIndex } from "../../buildcache/types.ts";
import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";
import { packageTask } from "../../spec/packageTask.ts";
import { oneError, SpacktainersError } from "../../util/errors.ts";
import { runTask } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { type CopyClosure, closureToCopy, dependenciesFirst } from "./closureToCopy.ts";
import { listedSpecs, namesWanted, wantedSpecs } from "./listedSpecs.ts";
import { type CacheRequest, namedCaches, readIndexes } from "./openNamedCaches.ts";
import { type CacheTarget, openTarget, type TargetOptions, targetIndexes } from "./openTarget.ts";

/** A command line of `cache copy`. */
export interface CopyRequest extends CacheRequest, TargetOptions {
  readonly from: string;
  readonly to: string;
  /** Whether `from` is one without signatures, whatever the configuration says. */
  readonly fromUnsigned: boolean;
  /** None: everything. */
  readonly specs: readonly string[];
  /** False: the packages that satisfy a spec alone, without what they need. */
  readonly closure: boolean;
  /** What was needed to build them, too. */
  readonly withBuild: boolean;
  /** Replace what is there. */
  readonly replace: boolean;
  readonly dryRun: boolean;
  /** Packages at a time. */
  readonly jobs: number | undefined;
}

/** A package that was, or would be, copied. */
export interface CopiedPackage {
  readonly name: string;
  readonly version: string;
  readonly hash: DagHash;
  /** `copy`: with --dry-run. */
  readonly outcome: "copied" | "present" | "copy";
  /** Bytes of the archive; undefined if unknown (packages that were already there are not asked for). */
  readonly size: number | undefined;
}

/** What came of copying. */
export interface CopyReport {
  readonly from: string;
  readonly to: string;
  /** Dependencies before what needs them. */
  readonly packages: readonly CopiedPackage[];
  /** Fingerprint of the key that signed; undefined: nothing was signed. */
  readonly signedBy: string | undefined;
  /** Build dependencies that `from` does not have. */
  readonly missing: readonly string[];
}

/** After so many packages the index is written, so that little is left to do for a run that continues. */
const indexEvery = 500;

/** How often what was there is checked again, because somebody may remove it meanwhile. */
const rounds = 3;

/**
 * Copies packages from one cache into another: each is verified as for use, and signed again. What the target has already, and can
 * be used there, is left alone; so the same command continues after an interruption. Dependencies come before what needs them, so that
 * what is there of a copy that was cut off can be used.
 *
 * @throws {SpacktainersError} of the caches; `PACKAGE_NOT_CACHED` when `from` lacks something that is needed at run time; `USAGE`
 *   when both are the same
 */
export async function copyPackages(request: CopyRequest): Promise<CopyReport> {
  const { emit, specs } = request;
  const wanted = wantedSpecs(specs);
  const { repository, sources, open } = await namedCaches({ ...request, caches: [request.from] });
  const target = await openTarget(request.to, request, repository.configuration, request);
  const set = open(
    sources.map((source) => ({ ...source, unsigned: source.unsigned || request.fromUnsigned })),
  );
  try {
    if (set.caches.some(({ id }) => id === target.writer.id))
      throw new SpacktainersError("USAGE", "a cache cannot be copied into itself");
    const read = await readIndexes(set, emit);
    const indexes = read.flatMap((each) => each.indexes);
    const there = await targetIndexes(target);
    const chosen = new Map<DagHash, ConcreteSpec>();
    for (const index of indexes)
      for (const name of namesWanted(index, wanted) ?? index.names())
        for (const spec of listedSpecs(index, name, wanted)) chosen.set(spec.hash, spec);
    if (chosen.size === 0 && specs.length > 0)
      throw new SpacktainersError(
        "PACKAGE_NOT_CACHED",
        `${request.from} lists no package that satisfies \`${specs.join(" ")}\``,
        { hint: `to list the packages: spacktainers cache list --cache ${request.from}` },
      );
    const closure = request.closure
      ? closureToCopy(chosen.values(), indexes, there, request.withBuild)
      : { specs: dependenciesFirst(chosen), missing: [], missingBuild: [] };
    if (closure.missing.length > 0) throw oneError(closure.missing.map(notThere(request.from)));
    const packages = await transfer(closure, target, { indexes, there, set, request });
    if (packages.some(({ outcome }) => outcome === "copied")) await target.publishKey();
    await set.prune();
    return {
      from: set.caches[0]?.url ?? request.from,
      to: target.writer.url,
      packages,
      signedBy: target.writer.signedBy,
      missing: closure.missingBuild,
    };
  } finally {
    await set.close();
    await target.close();
  }
}

/** Where packages come from, and how they are sent. */
interface Transfer {
  readonly indexes: readonly CacheIndex[];
  readonly there: readonly CacheIndex[];
  readonly set: CacheSet;
  readonly request: CopyRequest;
}

async function transfer(
  { specs }: CopyClosure,
  target: CacheTarget,
  { indexes, there, set, request }: Transfer,
): Promise<readonly CopiedPackage[]> {
  const { emit, signal, replace, dryRun } = request;
  const lookup = (hash: DagHash) => {
    for (const index of indexes) {
      const spec = index.spec(hash);
      if (spec !== undefined) return spec;
    }
    return undefined;
  };
  const isListed = (hash: DagHash): boolean => there.some((index) => index.has(hash));
  emit({ type: "stage", stage: "copy-packages", total: specs.length, counts: "push" });
  const atOnce = request.jobs ?? Math.min(8, 2 * availableParallelism());

  async function copyOne(
    spec: ConcreteSpec,
    listed: boolean,
  ): Promise<CopiedPackage & { specFile?: string }> {
    const { name, version, hash } = spec;
    const task = { ...packageTask("push", spec), signal };
    if (!replace && listed && (await isUsable(target, spec, lookup))) {
      await runTask(emit, task, async ({ reused }) => reused());
      return { name, version, hash, size: undefined, outcome: "present" };
    }
    const pkg = await set.findPackage(spec, lookup);
    const size = await set.archiveSize(pkg);
    const facts = { name, version, hash, size };
    if (dryRun) return { ...facts, outcome: "copy" };
    const content = await set.contentOf(pkg);
    return runTask(emit, { ...task, bytes: size }, async ({ progress, reused }) => {
      const { outcome } = await target.writer.put(content, { replace, onBytes: progress });
      if (outcome === "present") reused();
      const { specFile } = content;
      return { ...facts, outcome: outcome === "written" ? "copied" : "present", specFile };
    });
  }

  const results = new Map<DagHash, CopiedPackage>();
  async function copyAll(some: readonly ConcreteSpec[], listed: (hash: DagHash) => boolean): Promise<void> {
    for (let from = 0; from < some.length; from += indexEvery) {
      const copied = await mapConcurrently(some.slice(from, from + indexEvery), atOnce, (spec) =>
        copyOne(spec, listed(spec.hash)),
      );
      const add = copied.flatMap(({ specFile }) => specFile ?? []);
      if (add.length > 0) await target.writer.updateIndex({ add, remove: [] });
      for (const { specFile: _, ...one } of copied)
        if (results.get(one.hash)?.outcome !== "copied") results.set(one.hash, one);
    }
  }
  await copyAll(specs, isListed);
  // What was there already may have been removed while the rest was on its way.
  for (let round = 1; round < rounds && !dryRun; round++) {
    const kept = specs.filter(({ hash }) => results.get(hash)?.outcome === "present");
    const gone = await mapConcurrently(kept, atOnce, async (spec) =>
      (await isUsable(target, spec, lookup)) ? [] : [spec],
    );
    if (gone.flat().length === 0) break;
    await copyAll(gone.flat(), () => false);
  }
  return specs.flatMap(({ hash }) => results.get(hash) ?? []);
}

/** Whether a cache has a package that its readers would take, and the archive of it. */
export async function isUsable(
  { reader }: Pick<CacheTarget, "reader">,
  spec: ConcreteSpec,
  lookup: (hash: DagHash) => ConcreteSpec | undefined,
): Promise<boolean> {
  try {
    const pkg = await reader.findPackage(spec, lookup);
    if (pkg === undefined) return false;
    return (await reader.fetchArchiveHead(pkg, 1)).length === 1;
  } catch (thrown) {
    const { code } = thrown as { code?: string };
    if (
      thrown instanceof SpacktainersError &&
      !["NETWORK", "ACCESS_DENIED", "INTERRUPTED"].includes(code ?? "")
    )
      return false;
    throw thrown;
  }
}

function notThere(
  from: string,
): (missing: { readonly spec: string; readonly by: string }) => SpacktainersError {
  return ({ spec, by }) =>
    new SpacktainersError(
      "PACKAGE_NOT_CACHED",
      `${spec} is needed at run time by ${by}, and is not in ${from}`,
      {
        place: { spec },
        hint: "first copy from a cache that has it, or copy without dependencies: --no-closure",
      },
    );
}
