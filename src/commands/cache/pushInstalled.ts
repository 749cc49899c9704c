import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openCacheSet } from "../../buildcache/cacheSet.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import { openHttp } from "../../net/http.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { makeEmptyCache, spackHome } from "../../spack/folders.ts";
import { type InstallTree, readInstallTree } from "../../spack/installTree.ts";
import { packInstalled } from "../../spack/packInstalled.ts";
import { openSpack, type Spack } from "../../spack/spack.ts";
import { briefSpec, type ConcreteSpec, type DagHash, parseDagHash } from "../../spec/concrete.ts";
import { packageTask } from "../../spec/packageTask.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";
import { sweepTemporaries, temporaryPath } from "../../util/atomicFile.ts";
import { oneError, SpacktainersError } from "../../util/errors.ts";
import { runTask } from "../../util/events.ts";
import { usableCacheHome } from "../../util/expectWritable.ts";
import { isJsonObject } from "../../util/json.ts";
import { readBounded } from "../../util/readBounded.ts";
import { closureToCopy, dependenciesFirst } from "./closureToCopy.ts";
import { type CopiedPackage, isUsable } from "./copyPackages.ts";
import { wantedSpecs } from "./listedSpecs.ts";
import type { CacheRequest } from "./openNamedCaches.ts";
import { type CacheTarget, openTarget, type TargetOptions, targetIndexes } from "./openTarget.ts";

/** A command line of `cache push`. */
export interface PushInstalledRequest extends CacheRequest, TargetOptions {
  /** The cache; undefined: the first of the configuration that says `push: true`. */
  readonly to: string | undefined;
  /** An install tree; undefined: that of the prefixes. */
  readonly store: string | undefined;
  /** Prefixes of packages, or with a store: specs of what is installed in it; none: everything in it. */
  readonly packages: readonly string[];
  readonly closure: boolean;
  readonly withBuild: boolean;
  readonly replace: boolean;
  readonly dryRun: boolean;
}

/** What came of pushing. */
export interface PushInstalledReport {
  readonly to: string;
  readonly packages: readonly CopiedPackage[];
  readonly signedBy: string | undefined;
}

/** Packages that Spack packs at a time: their archives are on this machine until they are sent. */
const packedAtOnce = 16;

/** After so many packages the index is written. */
const indexEvery = 128;

/** How often what was there is checked again. */
const rounds = 3;

/** Largest spec file in a prefix, in bytes. */
const largestSpec = 64 * 2 ** 20;

/**
 * Pushes packages that are installed, with what they need: real Spack packs them, and they are signed and sent as everything else
 * is. What the cache has already is left alone.
 *
 * @throws {SpacktainersError} `NOT_FOUND` for what is installed nowhere; `PACKAGE_NOT_CACHED` for a dependency that is neither
 *   installed nor in the cache; `PROCESS_FAILED` for what Spack could not pack, when everything else was pushed; of the cache
 */
export async function pushInstalled(request: PushInstalledRequest): Promise<PushInstalledReport> {
  const { directory, emit } = request;
  const { configuration } = await openSoundRepository(directory);
  const to = request.to ?? configuration.caches.find(({ push }) => push)?.url;
  if (to === undefined)
    throw new SpacktainersError("USAGE", "no configured cache has `push: true`", {
      hint: "add `push: true` to yours, or name it: --to URL",
    });
  const { tree, chosen } = await chosenPackages(request);
  const target = await openTarget(to, request, configuration, request);
  try {
    const there = await targetIndexes(target);
    const installed = {
      has: (hash: DagHash) => tree.prefixes.has(hash),
      spec: (hash: DagHash) => tree.specs.get(hash),
    };
    const closure = request.closure
      ? closureToCopy(chosen.values(), [installed], there, request.withBuild)
      : { specs: dependenciesFirst(chosen), missing: [] };
    if (closure.missing.length > 0)
      throw oneError(
        closure.missing.map(
          ({ spec, by }) =>
            new SpacktainersError(
              "PACKAGE_NOT_CACHED",
              `${spec} is needed at run time by ${by}, and is not installed here`,
              {
                place: { spec },
                hint: "first push from the install tree that has it, or push without dependencies: --no-closure",
              },
            ),
        ),
      );
    emit({ type: "stage", stage: "copy-packages", total: closure.specs.length, counts: "push" });
    const isListed = (hash: DagHash): boolean => there.some((index) => index.has(hash));
    const pushed = new Map<DagHash, CopiedPackage>();
    let due = closure.specs;
    for (let round = 0; due.length > 0 && round < rounds; round++) {
      const listed = round === 0 ? isListed : () => false;
      for (const one of await pushAll(due, { tree, isListed: listed, target, configuration, request }))
        pushed.set(one.hash, one);
      // What was there already may have been removed while the rest was on its way.
      due = request.dryRun ? [] : await vanished(due, pushed, tree, target);
    }
    const packages = closure.specs.flatMap(({ hash }) => pushed.get(hash) ?? []);
    if (packages.some(({ outcome }) => outcome === "copied")) await target.publishKey();
    return { to: target.writer.url, packages, signedBy: target.writer.signedBy };
  } finally {
    await target.close();
  }
}

/** Of what was there already, what is there no longer. */
async function vanished(
  specs: readonly ConcreteSpec[],
  pushed: ReadonlyMap<DagHash, CopiedPackage>,
  tree: InstallTree,
  target: CacheTarget,
): Promise<readonly ConcreteSpec[]> {
  const gone: ConcreteSpec[] = [];
  for (const spec of specs)
    if (
      pushed.get(spec.hash)?.outcome === "present" &&
      !(await isUsable(target, spec, (hash) => tree.specs.get(hash)))
    )
      gone.push(spec);
  return gone;
}

async function chosenPackages(
  request: PushInstalledRequest,
): Promise<{ readonly tree: InstallTree; readonly chosen: ReadonlyMap<DagHash, ConcreteSpec> }> {
  const { directory, store, packages } = request;
  const chosen = new Map<DagHash, ConcreteSpec>();
  if (store !== undefined) {
    const tree = await readInstallTree(resolve(directory, store));
    const wanted = wantedSpecs(packages)[tree.generation] ?? [];
    const { generation: dialect, specs } = tree;
    for (const hash of tree.prefixes.keys()) {
      const spec = specs.get(hash);
      const fits =
        wanted.length === 0 || wanted.some((one) => concreteSatisfies(specs, hash, one, { dialect }));
      if (spec !== undefined && fits) chosen.set(hash, spec);
    }
    if (chosen.size === 0)
      throw new SpacktainersError("NOT_FOUND", "no such package is installed in this tree", {
        place: { file: tree.root },
        hint: packages.length === 0 ? "it is empty" : `asked for: ${packages.join(" ")}`,
      });
    return { tree, chosen };
  }
  const [first, ...others] = packages;
  if (first === undefined)
    throw new SpacktainersError("USAGE", "cache push needs the prefixes of packages, or --store DIR");
  const tree = await readInstallTree(resolve(directory, first));
  for (const prefix of [first, ...others]) {
    const path = resolve(directory, prefix);
    const hash = await hashAt(path);
    const spec = tree.specs.get(hash);
    if (spec === undefined || !tree.prefixes.has(hash))
      throw new SpacktainersError("NOT_FOUND", `Spack does not know ${hash} as installed in ${tree.root}`, {
        place: { file: path },
        hint: "all prefixes of one command must belong to one install tree; name another tree with --store DIR",
      });
    chosen.set(hash, spec);
  }
  return { tree, chosen };
}

/** Whose prefix a folder is. */
async function hashAt(prefix: string): Promise<DagHash> {
  const file = join(prefix, ".spack", "spec.json");
  const bytes = await readBounded(file, largestSpec).catch(() => undefined);
  try {
    const json: unknown = JSON.parse(bytes?.toString("utf8") ?? "");
    const spec = isJsonObject(json) ? json.spec : undefined;
    const node: unknown = isJsonObject(spec) && Array.isArray(spec.nodes) ? spec.nodes[0] : undefined;
    const hash = isJsonObject(node) && typeof node.hash === "string" ? parseDagHash(node.hash) : undefined;
    if (hash !== undefined) return hash;
  } catch {
    // Said below.
  }
  throw new SpacktainersError(
    "NOT_FOUND",
    "this is not the prefix of a package: it has no .spack/spec.json",
    {
      place: { file: prefix },
      hint: "spack location -i NAME prints the prefix of a package",
    },
  );
}

/** Which packages, and where they go. */
interface InstalledPush {
  readonly tree: InstallTree;
  readonly isListed: (hash: DagHash) => boolean;
  readonly target: CacheTarget;
  readonly configuration: Configuration;
  readonly request: PushInstalledRequest;
}

async function pushAll(
  specs: readonly ConcreteSpec[],
  { tree, isListed, target, configuration, request }: InstalledPush,
): Promise<readonly CopiedPackage[]> {
  const { emit, signal, dryRun, replace } = request;
  const lookup = (hash: DagHash) => tree.specs.get(hash);
  const results: CopiedPackage[] = [];
  const due: ConcreteSpec[] = [];
  for (const spec of specs) {
    const { name, version, hash } = spec;
    const isThere = !replace && isListed(hash) && (await isUsable(target, spec, lookup));
    if (!isThere && !dryRun) due.push(spec);
    else results.push({ name, version, hash, size: undefined, outcome: isThere ? "present" : "copy" });
    if (isThere)
      await runTask(emit, { ...packageTask("push", spec), signal }, async ({ reused }) => reused());
  }
  if (due.length === 0) return results;
  await usableCacheHome();
  const http = openHttp({ emit, signal });
  const failures: SpacktainersError[] = [];
  let unlisted: string[] = [];
  const writeIndex = async (): Promise<void> => {
    if (unlisted.length > 0) await target.writer.updateIndex({ add: unlisted, remove: [] });
    unlisted = [];
  };
  try {
    const spack = await openSpack(configuration.spack, { http, emit, signal, trust: "" });
    try {
      for (let from = 0; from < due.length; from += packedAtOnce) {
        const chunk = due.slice(from, from + packedAtOnce);
        const sent = await packAndSend(spack, chunk, { tree, target, request });
        results.push(...sent.packages);
        failures.push(...sent.failures);
        unlisted.push(...sent.specFiles);
        if (unlisted.length >= indexEvery) await writeIndex();
      }
    } finally {
      await writeIndex();
    }
  } finally {
    await http.close();
  }
  if (failures.length > 0) throw oneError(failures);
  return results;
}

/** Where packages are, and where they go. */
interface PackedChunk {
  readonly tree: InstallTree;
  readonly target: CacheTarget;
  readonly request: PushInstalledRequest;
}

/** Lets Spack pack some packages, and sends them. */
async function packAndSend(
  spack: Spack,
  chunk: readonly ConcreteSpec[],
  { tree, target, request: { emit, signal, replace } }: PackedChunk,
): Promise<{
  readonly packages: readonly CopiedPackage[];
  readonly specFiles: readonly string[];
  readonly failures: readonly SpacktainersError[];
}> {
  const parent = join(spackHome(), "packing");
  await mkdir(parent, { recursive: true });
  await sweepTemporaries(parent);
  const folder = temporaryPath(parent);
  const cache = join(folder, "cache");
  try {
    if (spack.dialect === "1.x") await makeEmptyCache(cache);
    else await mkdir(join(cache, "build_cache"), { recursive: true });
    const hashes = chunk.map(({ hash }) => hash);
    const trouble = await packInstalled(spack, { tree, hashes, cache, signal });
    const packed = openCacheSet([{ url: cache, keys: [], unsigned: true }], {
      emit,
      signal,
      cacheDir: join(folder, "home"),
    });
    const packages: CopiedPackage[] = [];
    const specFiles: string[] = [];
    const failures: SpacktainersError[] = [];
    try {
      for (const spec of chunk) {
        const { name, version, hash } = spec;
        const pkg = await packed.caches[0]?.findPackage(spec, (of) => tree.specs.get(of));
        if (pkg === undefined) {
          failures.push(
            new SpacktainersError("PROCESS_FAILED", `Spack could not pack ${briefSpec(spec)}`, {
              place: { file: tree.prefixes.get(hash) ?? tree.root },
              hint: trouble === undefined ? "Spack gave no reason" : `Spack says: ${trouble}`,
            }),
          );
          continue;
        }
        const content = await packed.contentOf(pkg);
        const { size } = content.archive;
        const task = { ...packageTask("push", spec), bytes: size, signal };
        const { outcome } = await runTask(emit, task, async ({ progress, reused }) => {
          const put = await target.writer.put(content, { replace, onBytes: progress });
          if (put.outcome === "present") reused();
          return put;
        });
        specFiles.push(content.specFile);
        packages.push({ name, version, hash, size, outcome: outcome === "written" ? "copied" : "present" });
      }
    } finally {
      await packed.close();
    }
    return { packages, specFiles, failures };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
