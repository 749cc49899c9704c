/** `ci plan`: what a pipeline has to do for one architecture. */

import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import { type ContainerInputs, changedContainers } from "../../ci/changes.ts";
import { type CiPlan, ciPlanText } from "../../ci/ciPlan.ts";
import { stagePackages, type WantedPackage } from "../../ci/stagePackages.ts";
import type { Architecture, Configuration } from "../../definitions/configuration.ts";
import type { Container, Definition } from "../../definitions/container.ts";
import { loadRepository, type Repository } from "../../definitions/repository.ts";
import { lockPaths } from "../../pipeline/choose/spacktainersLock.ts";
import {
  type Choice,
  lockedChoice,
  rootsOf,
  solvedChoice,
  withBuilder,
} from "../../pipeline/compile/buildMissing.ts";
import { findNeededPackages } from "../../pipeline/compile/neededPackages.ts";
import type { BuildingRequest } from "../../pipeline/workspace/buildingRequest.ts";
import { type Resources, type ResourcesRequest, withResources } from "../../pipeline/workspace/resources.ts";
import { selectAsked } from "../../pipeline/workspace/selectAsked.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { builtCaches } from "../../spack/folders.ts";
import { briefSpec } from "../../spec/concrete.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { errorsOf, SpacktainersError } from "../../util/errors.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { nameEvents } from "../../util/nameEvents.ts";
import { removeTree } from "../../util/removeTree.ts";
import { baseInputs, containerInputs } from "./containerInputs.ts";
import { checkOutCommit, earlierCommit, filesChangedSince, openGitFolder } from "./gitHistory.ts";

/** When the builder and runtime images are made: where they changed, whatever changed, or not. */
export const basePolicies = ["changed", "always", "never"] as const;
export type BasePolicy = (typeof basePolicies)[number];

/** A command line of `ci plan`. */
export interface PipelinePlanRequest extends ResourcesRequest {
  readonly names: readonly string[];
  readonly arch: Architecture;
  /** A commit, branch or tag; undefined: everything asked for is made. */
  readonly since: string | undefined;
  readonly bases: BasePolicy;
  readonly building: BuildingRequest;
  /** Most stages of packages. */
  readonly stages: number;
  /** Folder for the plan, and for locks that Spack made; undefined: nothing is written there. */
  readonly output: string | undefined;
}

/** Name of the plan in its folder. */
export const planFile = "plan.json";
/** Name of the folder of locks beside it: as they lie below the repository's root. */
export const planLocks = "locks";

/**
 * Finds out which base images and containers have to be made, and which packages have to be built for them. Where Spack has to
 * choose, its lock is written beside the definition, as `build` does. What is wrong with a container is a warning: its own job
 * says it again, and fails.
 *
 * @throws SpacktainersError of the configuration, of git, of caches
 */
export async function planPipeline(request: PipelinePlanRequest): Promise<Omit<CiPlan, "version">> {
  const repository = await openSoundRepository(request.directory);
  const { arch, signal, since } = request;
  const selected =
    repository.containers.length + repository.broken.length === 0
      ? []
      : await selectAsked(repository, { ...request, arch: undefined }, "plan for");
  const asked = selected.filter((definition) => definition.arch === arch);
  const changes = await changesSince(repository, since, signal);
  const reasonsOf = (name: string): readonly string[] | undefined =>
    changes === undefined
      ? ["asked for"]
      : changes.containers.changed.find((one) => one.name === name && one.arch === arch)?.reasons;
  const chosen = asked.flatMap((definition) => {
    const reasons = reasonsOf(definition.name);
    return reasons === undefined ? [] : [{ definition, reasons: [...reasons] }];
  });
  const locks: string[] = [];
  const sound = chosen.flatMap(({ definition }) => (definition.kind === "spack" ? [definition] : []));
  const tops = new Map<Definition, readonly string[]>();
  const packages = await wantedPackages(sound, {
    configuration: repository.configuration,
    request,
    locks,
    tops,
  });
  const plan = {
    arch,
    since: changes?.commit ?? null,
    bases: request.bases === "never" ? [] : changedBases(request.bases, changes?.bases),
    containers: chosen.map(({ definition, reasons }) => ({
      name: definition.name,
      arch,
      kind: definition.kind,
      reasons,
      packages: [...(tops.get(definition) ?? [])],
    })),
    unchanged: asked.flatMap(({ name }) => (reasonsOf(name) === undefined ? [name] : [])),
    removed: [...(changes?.containers.removed ?? [])],
    stages: stagePackages(packages, request.stages).map((jobs) =>
      jobs.map(({ id, packages }) => ({
        id,
        packages: packages.map((one) => ({ ...one, after: [...one.after] })),
      })),
    ),
    locks: locks.map((path) => relative(repository.root, path)),
  };
  if (request.output !== undefined) await writePlan(plan, repository.root, request.output);
  return plan;
}

interface ChangesSince {
  readonly commit: string;
  readonly containers: ReturnType<typeof changedContainers>;
  readonly bases: ReturnType<typeof changedContainers>;
}

/** Undefined: there is nothing to compare with, everything counts. */
async function changesSince(
  repository: Repository,
  since: string | undefined,
  signal: AbortSignal,
): Promise<ChangesSince | undefined> {
  if (since === undefined) return undefined;
  const git = await openGitFolder(repository.root, signal);
  const commit = await earlierCommit(git, since, signal);
  if (commit === undefined) return undefined;
  const work = await mkdtemp(join(tmpdir(), "spacktainers-ci-"));
  try {
    const files = await filesChangedSince(git, commit, work, signal);
    const now = { repository, top: git.top };
    const tree = files.size === 0 ? undefined : await checkOutCommit(git, commit, work, signal);
    const before =
      tree === undefined ? now : { repository: await loadRepository(join(tree, git.prefix)), top: tree };
    stopIfAborted(signal);
    const bases = changedContainers(baseInputs(before), baseInputs(now), files);
    const containers = changedContainers(
      withRuntime(await containerInputs(before), before.repository),
      withRuntime(await containerInputs(now), repository),
      files,
    );
    return { commit, containers, bases };
  } finally {
    await removeTree(work);
  }
}

/** Where images are put on our own runtime image, its folder decides them as well. */
function withRuntime(
  containers: readonly ContainerInputs[],
  { configuration }: Pick<Repository, "configuration">,
): readonly ContainerInputs[] {
  const { base } = configuration;
  if (base.kind !== "image" || !/(?:^|[/-])runtime(?:[:@]|$)/.test(base.reference)) return containers;
  return containers.map((one) => ({ ...one, paths: [...one.paths, "runtime"] }));
}

function changedBases(
  policy: "changed" | "always",
  changes: ReturnType<typeof changedContainers> | undefined,
): CiPlan["bases"] {
  return (["builder", "runtime"] as const).flatMap((image) => {
    const reasons = changes?.changed.find(({ name }) => name === image)?.reasons;
    if (policy === "changed" && reasons === undefined) return [];
    return [{ image, reasons: [...(reasons ?? ["asked for"])] }];
  });
}

/** What choosing the packages takes. */
interface WantedContext {
  readonly configuration: Configuration;
  readonly request: PipelinePlanRequest;
  readonly locks: string[];
  readonly tops: Map<Definition, readonly string[]>;
}

/** The packages that no cache has, of all containers, each once, after those that it needs. */
async function wantedPackages(
  containers: readonly Container[],
  { configuration, request, locks, tops }: WantedContext,
): Promise<readonly WantedPackage[]> {
  const allowed = request.building.allowed ?? configuration.spack.build;
  if (!allowed || containers.length === 0) return [];
  const events = nameEvents(request.emit);
  return withResources(configuration, { ...request, emit: events.emit }, async (resources) => {
    const { building } = resources;
    if (building === undefined) return [];
    const wanted = new Map<string, WantedPackage>();
    await withBuilder(
      { arch: request.arch },
      { configuration, building, tools: resources },
      async (builder) => {
        for (const [index, container] of containers.entries()) {
          stopIfAborted(request.signal);
          const name = `${container.arch}/${container.name}`;
          const place = { container: name, position: index + 1, total: containers.length };
          try {
            await events.during(
              place,
              async () => {
                let choice = await lockedChoice(container, configuration, building);
                if (choice === undefined) {
                  choice = await solvedChoice(container, {
                    configuration,
                    building,
                    tools: resources,
                    builder,
                  });
                  if (choice === undefined) return;
                  const path = lockPaths(container).spack;
                  await writeFileAtomically(path, choice.lockText);
                  locks.push(path);
                }
                const missing = await missingOf(choice, container, building.trust, resources);
                for (const one of missing) if (!wanted.has(one.hash)) wanted.set(one.hash, one);
                const below = new Set(missing.flatMap(({ after }) => after));
                tops.set(
                  container,
                  missing.flatMap(({ hash }) => (below.has(hash) ? [] : [hash])),
                );
              },
              () => false,
            );
          } catch (thrown) {
            stopIfAborted(request.signal);
            for (const { code, message, place: at, hint } of errorsOf(thrown))
              request.emit({
                type: "warning",
                code,
                message: `${name} cannot be planned: ${message}`,
                place: at,
                hint,
              });
          }
        }
      },
    );
    return [...wanted.values()];
  });
}

async function missingOf(
  { lock }: Choice,
  container: Container,
  trust: string,
  { caches, emit }: Resources,
): Promise<readonly WantedPackage[]> {
  const own = Object.values(builtCaches(trust)).flatMap((folder) => [folder, `file://${folder}`]);
  const elsewhere: Pick<CacheSet, "findPackage"> = {
    async findPackage(spec, neighbour) {
      const found = await caches.findPackage(spec, neighbour);
      // Other machines cannot see what only this one has: its job publishes it.
      if (!own.includes(found.cacheUrl)) return found;
      throw new SpacktainersError("PACKAGE_NOT_CACHED", "it is on this machine only");
    },
  };
  const needed = await findNeededPackages(
    { graph: lock.graph, roots: rootsOf(lock) },
    { caches: elsewhere, emit },
  );
  return needed.graph.nodes.map(({ spec, after }) => ({
    hash: spec.hash,
    label: briefSpec(spec),
    container: container.name,
    after,
  }));
}

async function writePlan(plan: Omit<CiPlan, "version">, root: string, output: string): Promise<void> {
  for (const lock of plan.locks)
    await writeFileAtomically(join(output, planLocks, lock), await readFile(join(root, lock)));
  await writeFileAtomically(join(output, planFile), ciPlanText(plan));
}
