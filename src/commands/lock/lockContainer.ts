import { readFile, rm } from "node:fs/promises";
import type { BuildBaseOptions, PlannedBase } from "../../base/types.ts";
import { withOtherCopies } from "../../buildcache/otherCopy.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { loadLock } from "../../environment/load.ts";
import type { Environment, Lock } from "../../environment/types.ts";
import { openCompletion } from "../../pipeline/assemble/openCompletion.ts";
import { baseDigest } from "../../pipeline/base/baseDigest.ts";
import { baseRequest } from "../../pipeline/base/baseRequest.ts";
import { nameOfBase } from "../../pipeline/base/baseSpec.ts";
import { reportUndone } from "../../pipeline/base/reportUndone.ts";
import { startBase } from "../../pipeline/base/startBase.ts";
import { choiceInputs } from "../../pipeline/choose/choiceInputs.ts";
import { lockText } from "../../pipeline/choose/lockText.ts";
import { openEnvironment } from "../../pipeline/choose/openEnvironment.ts";
import type { ResolvedPackages } from "../../pipeline/choose/resolvePackages.ts";
import { type LockedBase, lockPaths, writeSpacktainersLock } from "../../pipeline/choose/spacktainersLock.ts";
import { assemblyVersion } from "../../pipeline/plan/assemblyVersion.ts";
import { containerConfiguration } from "../../pipeline/plan/containerConfiguration.ts";
import { layerSettings } from "../../pipeline/plan/layerSettings.ts";
import { installVersion, makeFragments } from "../../pipeline/plan/makeFragments.ts";
import type { OpenedContainer } from "../../pipeline/plan/openContainer.ts";
import { imageSettings, type PackagePlan, planPackages } from "../../pipeline/plan/planPackages.ts";
import { noLocks } from "../../pipeline/plan/useLocks.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { rememberedSpack } from "../../spack/solveRecords.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { formatSpec } from "../../spec/format.ts";
import { parseSpec } from "../../spec/parse.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { digestOf } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";

import { type SolvedLock, solvedLock } from "./solvedLock.ts";

/** A container that was locked. */
export interface LockResult {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  readonly packages: number;
  /** OS packages of the base. */
  readonly basePackages: number;
  readonly files: readonly { readonly path: string; readonly changed: boolean }[];
  /** Packages that no cache has, which Spack will build: `name@version/hash`, shortened. */
  readonly toBuild: readonly string[];
  /** Roots for which other configurations would do as well, as far as caches can tell. */
  readonly undetermined: NonNullable<ResolvedPackages["resolution"]["undetermined"]>;
}

/**
 * Resolves a container from the caches and writes both of its locks. A file that would stay the same is left alone.
 *
 * @param keep roots that are in the lock and still in the manifest keep their locked configuration
 * @throws {SpacktainersError} of any stage; nothing half-written is left
 */
export async function lockContainer(
  container: Container,
  configured: Configuration,
  keep: boolean,
  resources: Resources & { readonly refresh: boolean },
): Promise<LockResult> {
  return withOtherCopies(() => lockOnce(container, configured, keep, resources));
}

async function lockOnce(
  container: Container,
  configured: Configuration,
  keep: boolean,
  resources: Resources & { readonly refresh: boolean },
): Promise<LockResult> {
  const configuration = await containerConfiguration(configured, container, resources.emit);
  const paths = lockPaths(container);
  const before = keep && container.lock !== undefined ? await loadLock(container.lock) : undefined;
  const solved = await solvedLock(container, configuration, keep, resources);
  if (solved !== undefined && solved.needed.graph.nodes.length > 0)
    return lockToBuild(container, solved, paths);
  const unlocked = { ...container, lock: undefined };
  const read =
    solved?.loaded ??
    (await openEnvironment(unlocked, configuration, resources, { dialect: before?.dialect }));
  const loaded =
    before === undefined || solved !== undefined
      ? read
      : { ...read, environment: keepRoots(read.environment, before) };
  const opened: OpenedContainer = { container, configuration, loaded, locks: noLocks };
  const planned = await planOnBase(opened, resources).catch((error: unknown) => {
    if (before === undefined || !(error instanceof SpacktainersError) || error.code !== "NO_SOLUTION")
      throw error;
    throw new SpacktainersError("NO_SOLUTION", error.message, {
      place: error.place,
      hint: "without --keep, spacktainers chooses all packages again",
      cause: error,
    });
  });
  const { resolved } = planned.packages;
  // With the specs as the user wrote them, whatever was kept.
  const spackLock =
    solved?.loaded.lockText ?? lockText(read.environment, resolved.resolution, resolved.graph);
  const base = await lockedBase(opened, planned, resources);
  const own = writeSpacktainersLock({
    architecture: container.arch,
    spackLock: digestOf(spackLock),
    choice: choiceInputs(read.environment, configuration.platforms[container.arch]),
    tool: { install: installVersion, assembly: assemblyVersion },
    base,
    spack: await rememberedSpack(spackLock),
    packages: resolved.packages.map(({ spec, digest, size }) => ({
      name: spec.name,
      version: spec.version,
      hash: spec.hash,
      archive: digest,
      size,
    })),
  });
  return {
    name: container.name,
    arch: container.arch,
    version: resolved.version,
    packages: resolved.packages.length,
    basePackages: base.packages.length,
    files: [
      { path: paths.spack, changed: await writeIfChanged(paths.spack, spackLock) },
      { path: paths.spacktainers, changed: await writeIfChanged(paths.spacktainers, own) },
    ],
    toBuild: [],
    undetermined: resolved.resolution.undetermined ?? [],
  };
}

/**
 * Writes the `spack.lock` of packages of which some have to be built. A `spacktainers.lock` names archives, which there are none
 * of yet: one that is there does not fit any more, and is removed.
 */
async function lockToBuild(
  container: Container,
  { loaded, needed, version }: SolvedLock,
  paths: ReturnType<typeof lockPaths>,
): Promise<LockResult> {
  const { nodes, reused } = needed.graph;
  const changed = await writeIfChanged(paths.spack, loaded.lockText);
  await rm(paths.spacktainers, { force: true });
  return {
    name: container.name,
    arch: container.arch,
    version,
    packages: reused.length + nodes.filter(({ buildOnly }) => !buildOnly).length,
    basePackages: 0,
    files: [{ path: paths.spack, changed }],
    toBuild: nodes.map(({ spec }) => briefSpec(spec)),
    undetermined: [],
  };
}

/** Asks for the locked configuration of every root that is in the lock. */
function keepRoots(environment: Environment, lock: Lock): Environment {
  const canonical = (text: string): string => {
    try {
      return formatSpec(parseSpec(text, { dialect: lock.dialect }), lock.dialect);
    } catch (thrown) {
      if (thrown instanceof SpacktainersError) return text;
      throw thrown;
    }
  };
  const locked = new Map(lock.roots.map(({ request, hash }) => [canonical(request), hash]));
  const specs = environment.specs.map((request) => {
    const hash = locked.get(canonical(request.text));
    return hash === undefined ? request : { ...request, spec: { ...request.spec, hash } };
  });
  return { ...environment, specs };
}

/** What a build of the container would start from. */
interface PlannedLock {
  readonly packages: PackagePlan;
  /** As configured, without what packages need besides. */
  readonly base: PlannedBase;
  readonly baseOptions: BuildBaseOptions;
}

/** Chooses the packages while the base's servers are asked. */
async function planOnBase(
  opened: OpenedContainer,
  resources: Resources & { readonly refresh: boolean },
): Promise<PlannedLock> {
  const { container, configuration } = opened;
  const { refresh } = resources;
  const base = startBase(
    { configured: configuration.base, architecture: container.arch, lock: undefined, refresh },
    resources,
  );
  try {
    const settings = imageSettings(configuration, { strip: undefined, keepMetadata: false });
    const packages = await planPackages(opened, settings, resources);
    return { packages, base: await base.planned, baseOptions: base.options };
  } catch (error) {
    await base.abandon(error);
    throw error;
  }
}

/** The base to lock: made, and where the configuration allows it completed by the libraries that packages need. */
async function lockedBase(
  opened: OpenedContainer,
  planned: PlannedLock,
  resources: Resources,
): Promise<LockedBase> {
  const { container, configuration } = opened;
  const configured = configuration.base;
  const completes = configured.kind === "debian" && configured.complete;
  const chosen = completes ? await completedBase(opened, planned, resources) : planned.base;
  const base = await chosen.build();
  // A base that is completed was reported when it was.
  if (!completes) reportUndone(base, resources.emit);
  return {
    kind: configured.kind,
    request: baseRequest(configured),
    packages: base.packages,
    layers: base.layers.map(({ diffId }) => diffId),
    digest: chosen.image?.digest ?? (await baseDigest(configured, container.arch)),
  };
}

/**
 * What the packages need of the base shows only when they are installed: their fragments are made, and kept for the build
 * that follows.
 */
async function completedBase(
  { container, configuration, loaded }: OpenedContainer,
  { packages, base: plain, baseOptions }: PlannedLock,
  { caches, store, pool, emit, signal }: Resources,
): Promise<PlannedBase> {
  const { resolved, prefixes, fragments } = packages;
  emit({ type: "stage", stage: "install-packages", total: fragments.length, counts: "install" });
  const finished = await makeFragments(fragments, {
    store,
    pool,
    fetch: (cached) => caches.fetchArchive(cached),
    emit,
    signal,
  });
  const inventories = await Promise.all(finished.map(({ fragment }) => fragment.inventory()));
  emit({ type: "stage", stage: "complete-base" });
  const completion = await openCompletion({
    configured: configuration.base,
    base: plain,
    fragments: fragments.map(({ key }) => key),
    options: baseOptions,
    locked: false,
    published: undefined,
  });
  const completed = await completion.complete(async (base) => ({
    names: { name: container.name, arch: container.arch, version: resolved.version },
    configuration,
    loaded,
    resolved,
    prefixes,
    inventories,
    base,
    baseName: nameOfBase(configuration.base, base),
    allow: configuration.linkage.allowUnresolved,
    compression: layerSettings(configuration),
  }));
  return completed.base;
}

/** Writes a file unless it has this content already. */
async function writeIfChanged(path: string, text: string): Promise<boolean> {
  const before = await readFile(path, "utf8").catch(() => undefined);
  if (before === text) return false;
  await writeFileAtomically(path, text);
  return true;
}
