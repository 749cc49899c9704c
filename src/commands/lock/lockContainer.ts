import { readFile } from "node:fs/promises";
import { planBase } from "../../base/buildBase.ts";
import type { BuildBaseOptions, PlannedBase } from "../../base/types.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { loadLock } from "../../environment/load.ts";
import type { Environment, Lock } from "../../environment/types.ts";
import { openCompletion } from "../../pipeline/assemble/completeBase.ts";
import { baseDigest } from "../../pipeline/base/baseDigest.ts";
import { baseRequest } from "../../pipeline/base/baseRequest.ts";
import { baseName, baseSpec } from "../../pipeline/base/baseSpec.ts";
import { choiceInputs } from "../../pipeline/choose/choiceInputs.ts";
import { configuredReading, environmentReading } from "../../pipeline/choose/environmentOptions.ts";
import { type LoadedEnvironment, loadEnvironment } from "../../pipeline/choose/loadEnvironment.ts";
import { lockText } from "../../pipeline/choose/lockText.ts";
import { recipeFacts } from "../../pipeline/choose/recipeFacts.ts";
import { type ResolvedPackages, resolvePackages } from "../../pipeline/choose/resolvePackages.ts";
import { type LockedBase, lockPaths, writeSpacktainersLock } from "../../pipeline/choose/spacktainersLock.ts";
import { assemblyVersion } from "../../pipeline/plan/assemblyVersion.ts";
import { layerSettings } from "../../pipeline/plan/layerSettings.ts";
import { installVersion, makeFragments, planFragments } from "../../pipeline/plan/makeFragments.ts";
import { packagePrefixes } from "../../pipeline/plan/packagePrefixes.ts";
import { packageProblems, readLocks } from "../../pipeline/plan/useLocks.ts";
import type { Workshop } from "../../pipeline/workspace/workshop.ts";
import { formatSpec } from "../../spec/format.ts";
import { parseSpec } from "../../spec/parse.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { digestOf } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";

/** A container that was locked. */
export interface LockResult {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  readonly packages: number;
  /** OS packages of the base. */
  readonly basePackages: number;
  readonly files: readonly { readonly path: string; readonly changed: boolean }[];
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
  configuration: Configuration,
  keep: boolean,
  workshop: Workshop & { readonly refresh: boolean },
): Promise<LockResult> {
  const { caches, emit } = workshop;
  refuseDefinitionFile(container);
  const paths = lockPaths(container);
  const before = keep && container.lock !== undefined ? await loadLock(container.lock) : undefined;
  const unlocked = { ...container, lock: undefined };
  const options =
    before === undefined
      ? await environmentReading(unlocked, configuration, caches)
      : { ...configuredReading(container, configuration), dialect: before.dialect };
  const read = await loadEnvironment(unlocked, options, emit);
  const loaded = before === undefined ? read : { ...read, environment: keepRoots(read.environment, before) };
  const platform = configuration.platforms[container.arch];
  const resolved = await resolvePackages(loaded, caches, platform, emit, () =>
    recipeFacts(configuration),
  ).catch((error: unknown) => {
    if (before === undefined || !(error instanceof SpacktainersError) || error.code !== "NO_SOLUTION")
      throw error;
    throw new SpacktainersError("NO_SOLUTION", error.message, {
      place: error.place,
      hint: "without --keep everything is chosen anew",
      cause: error,
    });
  });
  // With the specs as the user wrote them, whatever was kept.
  const spackLock = lockText(read.environment, resolved.resolution, resolved.graph);
  const base = await lockedBase(container, configuration, loaded, resolved, workshop);
  const own = writeSpacktainersLock({
    architecture: container.arch,
    spackLock: digestOf(spackLock),
    choice: choiceInputs(read.environment, platform),
    tool: { install: installVersion, assembly: assemblyVersion },
    base,
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
    undetermined: resolved.resolution.undetermined ?? [],
  };
}

/**
 * What `build --frozen` would refuse: locks that are missing or do not fit the manifest and the configuration, and packages
 * whose archive in the caches is not the one locked. Nothing is written.
 */
export async function checkLocks(
  container: Container,
  configuration: Configuration,
  workshop: Pick<Workshop, "caches" | "emit">,
): Promise<readonly SpacktainersError[]> {
  refuseDefinitionFile(container);
  const options = { ...configuredReading(container, configuration), frozen: true };
  const loaded = await loadEnvironment(container, options, workshop.emit);
  const { lock, problems, usable } = await readLocks(container, loaded, configuration);
  if (lock === undefined || !usable || loaded.lock === undefined) return problems;
  const platform = configuration.platforms[container.arch];
  const { packages } = await resolvePackages(loaded, workshop.caches, platform, workshop.emit);
  const locked = new Map(lock.packages.map((one) => [one.hash, one]));
  return [...problems, ...packageProblems(packages, locked, { file: lockPaths(container).spacktainers })];
}

function refuseDefinitionFile(container: Container): void {
  if (container.kind === "def")
    throw new SpacktainersError("NOT_SUPPORTED", `${container.name} is an Apptainer definition file`, {
      place: { file: container.path },
      hint: "only containers with a spack.yaml have locks",
    });
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

/** The base to lock: made, and where the configuration allows it completed by the libraries that packages need. */
async function lockedBase(
  container: Container,
  configuration: Configuration,
  loaded: LoadedEnvironment,
  resolved: ResolvedPackages,
  workshop: Workshop & { readonly refresh: boolean },
): Promise<LockedBase> {
  const { emit, signal } = workshop;
  const configured = configuration.base;
  const options: BuildBaseOptions = {
    architecture: container.arch,
    cacheDir: workshop.baseCacheDir,
    emit,
    signal,
    refresh: workshop.refresh,
    repository: (name) => workshop.registries.repository(name),
  };
  const plain = await planBase(baseSpec(configured), options);
  const completes = configured.kind === "debian" && configured.complete;
  const planned = completes
    ? await completedBase(container, configuration, loaded, resolved, workshop, plain, options)
    : plain;
  const base = await planned.build();
  return {
    kind: configured.kind,
    request: baseRequest(configured),
    packages: base.packages,
    layers: base.layers.map(({ diffId }) => diffId),
    digest: planned.image?.digest ?? (await baseDigest(configured, container.arch)),
  };
}

/**
 * What the packages need of the base shows only when they are installed: their fragments are made, and kept for the build
 * that follows.
 */
async function completedBase(
  container: Container,
  configuration: Configuration,
  loaded: LoadedEnvironment,
  resolved: ResolvedPackages,
  workshop: Workshop,
  plain: PlannedBase,
  options: BuildBaseOptions,
): Promise<PlannedBase> {
  const { caches, store, pool, emit, signal } = workshop;
  const { root, projections: configured } = configuration.install;
  const prefixes = packagePrefixes(
    resolved.packages.map(({ spec }) => spec),
    resolved.graph,
    { root, configured, environment: loaded.environment },
  );
  const planned = planFragments(
    resolved.packages,
    {
      graph: resolved.graph,
      prefixes,
      root,
      options: { strip: configuration.strip, sbang: "undo", metadata: false },
    },
    layerSettings(configuration),
  );
  emit({ type: "stage", stage: "Installing packages", total: planned.length, counts: "install" });
  const finished = await makeFragments(planned, {
    store,
    pool,
    fetch: (cached) => caches.fetchArchive(cached),
    emit,
    signal,
  });
  const inventories = await Promise.all(finished.map(({ fragment }) => fragment.inventory()));
  emit({ type: "stage", stage: "Looking for libraries that the base lacks" });
  const completion = await openCompletion({
    configured: configuration.base,
    base: plain,
    fragments: planned.map(({ key }) => key),
    options,
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
    baseName: baseName(configuration.base, base),
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
