/** Turns a container's definition into packages that are all in caches: chosen, if need be by Spack, and built if no cache has them. */
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { Lock } from "../../environment/types.ts";
import { openHttp } from "../../net/http.ts";
import { expectMachineOfLock } from "../../spack/machineFit.ts";
import { rememberSpack } from "../../spack/solveRecords.ts";
import { spackRecord } from "../../spack/spack.ts";
import { briefSpec, type DagHash } from "../../spec/concrete.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { errorsOf, oneError, SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { ignoreEvents } from "../../util/events.ts";
import { type LoadedEnvironment, loadEnvironment } from "../choose/loadEnvironment.ts";
import { resolvePackages } from "../choose/resolvePackages.ts";
import { lockPaths } from "../choose/spacktainersLock.ts";
import type { Building, Resources } from "../workspace/resources.ts";
import { type Builder, openBuilder, type Publish } from "./builder.ts";
import { findOutdated, warnOfChangedSources } from "./changedSources.ts";
import { type Compiled, compilePackages } from "./compilePackages.ts";
import { estimateBuilds } from "./compilePlan.ts";
import { findNeededPackages, type NeededPackages } from "./neededPackages.ts";
import { buildPlace, openExecutor } from "./openExecutor.ts";
import { publishEarlier } from "./publishEarlier.ts";
import { type Publisher, withPublisher } from "./publisher.ts";
import { solvePackages } from "./solvePackages.ts";

/** What building takes of the resources. */
export type BuildingTools = Pick<Resources, "caches" | "building" | "emit" | "signal">;

/** A container whose packages are all in caches. */
export interface Provided {
  /** With the lock that was used, if any. */
  readonly container: Container;
  /** Undefined when nothing had to be built. */
  readonly compiled: Compiled | undefined;
}

/**
 * Provides the packages of a container. Where building is not allowed nothing is done: whoever needs the packages says what is
 * missing. A lock that Spack makes is written beside the definition.
 *
 * @param publishing brings built packages to where others find them; undefined: they stay in this machine's build cache
 * @throws SpacktainersErrors BUILD_FAILED, NO_SOLUTION; as `openBuilder`
 */
export async function buildMissing(
  container: Container,
  configuration: Configuration,
  tools: BuildingTools,
  publishing: Publisher | undefined,
): Promise<Provided> {
  const { building } = tools;
  if (building === undefined || container.kind === "def") return { container, compiled: undefined };
  const provide = async (
    builder: () => Promise<Builder>,
    publish: Publish | undefined,
  ): Promise<Provided> => {
    let chosen = await lockedChoice(container, configuration, building);
    if (chosen === undefined) {
      chosen = await solvedChoice(container, { configuration, building, tools, builder });
      if (chosen === undefined) return { container, compiled: undefined };
      await writeFileAtomically(lockPaths(container).spack, chosen.lockText);
    }
    const roots = rootsOf(chosen.lock);
    const { graph } = chosen.lock;
    const outdated = await findOutdated(graph, building.trust);
    const needed = await findNeededPackages({ graph, roots }, tools, new Set(outdated.keys()));
    await warnOfChangedSources(needed.cached.values(), building.trust, tools.emit);
    for (const { spec } of needed.graph.nodes) {
      const newer = outdated.get(spec.hash);
      if (newer === undefined) continue;
      const message = `${briefSpec(spec)} is built again, because ${newer} is newer`;
      tools.emit({ type: "warning", code: "NOTICE", message, place: { spec: briefSpec(spec) } });
    }
    const unpublished =
      publish === undefined ? [] : await publishEarlier(needed, building.trust, publish, tools.emit);
    const compiled =
      needed.graph.nodes.length === 0
        ? undefined
        : await compileChoice(chosen, {
            roots,
            needed,
            building,
            builder: await builder(),
            tools,
            publish,
          }).catch((thrown: unknown) => {
            throw unpublished.length === 0 ? thrown : oneError([...errorsOf(thrown), ...unpublished]);
          });
    if (unpublished.length > 0) throw oneError(unpublished);
    return { container: chosen.container, compiled };
  };
  return withBuilder(container, { configuration, building, tools }, (builder) =>
    withPublisher(publishing, (publish) => provide(builder, publish)),
  );
}

/** What was chosen for a container. */
export interface Choice {
  readonly container: Container;
  readonly loaded: Pick<LoadedEnvironment, "environment" | "manifestText">;
  readonly lock: Lock;
  readonly lockText: string;
}

/** The packages that a lock is made for, those of the environments it includes too. */
export function rootsOf(lock: Lock): readonly DagHash[] {
  return [...lock.roots, ...lock.includedRoots].map(({ hash }) => hash);
}

/** What opening a builder takes. */
export interface BuilderSettings {
  readonly configuration: Configuration;
  readonly building: Building;
  readonly tools: Pick<BuildingTools, "emit" | "signal">;
}

/** Works with a Spack that is got when it is asked for, and only then. */
export async function withBuilder<T>(
  { arch }: Pick<Container, "arch">,
  { configuration, building, tools: { emit, signal } }: BuilderSettings,
  work: (builder: () => Promise<Builder>) => Promise<T>,
): Promise<T> {
  const http = openHttp({ emit, signal });
  let builder: Promise<Builder> | undefined;
  try {
    return await work(() => {
      const { trust, atOnce } = building;
      const place = buildPlace(configuration, building);
      builder ??= openBuilder(configuration, arch, { http, emit, signal, trust, atOnce, place });
      return builder;
    });
  } finally {
    await (await builder?.catch(() => undefined))?.spack.container?.close();
    await http.close();
  }
}

/** What the lock beside the definition says; undefined without one, and when all is to be chosen again. */
export async function lockedChoice(
  container: Container,
  configuration: Pick<Configuration, "spack">,
  building: Pick<Building, "solve">,
): Promise<Choice | undefined> {
  if (container.lock === undefined || building.solve) return undefined;
  const { dialect } = configuration.spack;
  // Whoever makes the image tells what is to be told of the definition.
  const loaded = await loadEnvironment(container, dialect === undefined ? {} : { dialect }, ignoreEvents);
  const { lock, lockText } = loaded;
  return lock === undefined || lockText === undefined ? undefined : { container, loaded, lock, lockText };
}

/** What solving takes. */
export interface SolvingContext {
  readonly configuration: Configuration;
  readonly building: Pick<Building, "solve" | "fresh">;
  readonly tools: Omit<BuildingTools, "building">;
  readonly builder: () => Promise<Builder>;
  readonly keep?: string | undefined;
}

/**
 * What Spack chooses; undefined when the caches can answer and it is not asked for. Nothing is written.
 *
 * @param keep text of a lock whose roots keep their configuration, as far as they are still asked for
 * @throws SpacktainersErrors NO_SOLUTION; as `openBuilder`
 */
export async function solvedChoice(
  container: Container,
  { configuration, building, tools, builder, keep }: SolvingContext,
): Promise<Choice | undefined> {
  if (!building.solve && (await cachesAnswer(container, configuration, tools))) return undefined;
  const ready = await builder();
  const unlocked = { path: container.path, lock: undefined };
  const loaded = await loadEnvironment(unlocked, { dialect: ready.spack.dialect }, ignoreEvents);
  const path = lockPaths(container).spack;
  const work = { ...loaded, keep };
  const solved = await solvePackages(work, path, building.fresh, { ...tools, builder: ready });
  await rememberSpack(solved.lockText, await spackRecord(ready.spack));
  return { container: { ...container, lock: path }, loaded, lock: solved.lock, lockText: solved.lockText };
}

/** Whether everything that the definition asks for can be had from the caches. */
async function cachesAnswer(
  container: Container,
  configuration: Configuration,
  { caches }: Pick<BuildingTools, "caches">,
): Promise<boolean> {
  try {
    const { dialect } = configuration.spack;
    const loaded = await loadEnvironment(container, dialect === undefined ? {} : { dialect }, ignoreEvents);
    const settings = { architecture: container.arch, configuration };
    // Whoever makes the image chooses again, and tells.
    await resolvePackages(loaded, settings, { caches, emit: ignoreEvents });
    return true;
  } catch (error) {
    if (isLack(error)) return false;
    throw error;
  }
}

/** Whether an error says that something is not in the caches, or that there are none. */
function isLack(error: unknown): boolean {
  if (error instanceof SpacktainersErrors) return error.errors.every(isLack);
  return (
    error instanceof SpacktainersError &&
    ["NO_SOLUTION", "PACKAGE_NOT_CACHED", "CONFIG_INVALID"].includes(error.code)
  );
}

/** What is built, and by what. */
export interface CompilingContext {
  readonly roots: readonly DagHash[];
  readonly needed: NeededPackages;
  readonly building: Building;
  readonly builder: Builder;
  readonly tools: BuildingTools;
  readonly publish: Publish | undefined;
}

/**
 * Builds what of a choice is needed and in no cache.
 *
 * @throws SpacktainersErrors as `compilePackages`; of opening the executor
 */
export async function compileChoice(
  { loaded, lock, lockText }: Choice,
  { roots, needed, building, builder, tools: { caches, emit, signal }, publish }: CompilingContext,
): Promise<Compiled> {
  const { spack, machine } = builder;
  expectMachineOfLock(needed.graph.nodes, { graph: lock.graph, machine, spack, file: lock.file });
  await rememberSpack(lockText, await spackRecord(spack));
  const estimated = await estimateBuilds(needed, builder.atOnce, builder.times, undefined);
  const executor = await openExecutor(spack, {
    place: builder.place,
    nodes: needed.graph.nodes,
    atOnce: building.atOnce,
    emit,
    signal,
  });
  try {
    return await compilePackages(
      { loaded: { ...loaded, lockText }, roots, needed, estimated },
      { builder, executor, request: building, publish, caches, emit, signal },
    );
  } finally {
    await executor.close();
  }
}
