/** `ci packages`: the packages of one job of a pipeline, built and pushed. */
import { join } from "node:path";
import { type CiPlan, parseCiPlan } from "../../ci/ciPlan.ts";
import { readTextFile } from "../../definitions/repository.ts";
import { compileChoice, lockedChoice, withBuilder } from "../../pipeline/compile/buildMissing.ts";
import { findNeededPackages } from "../../pipeline/compile/neededPackages.ts";
import { publishEarlier } from "../../pipeline/compile/publishEarlier.ts";
import { publisher, withPublisher } from "../../pipeline/compile/publisher.ts";
import type { BuildingRequest } from "../../pipeline/workspace/buildingRequest.ts";
import { type ResourcesRequest, withResources } from "../../pipeline/workspace/resources.ts";
import { selectOne } from "../../pipeline/workspace/selectOne.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import type { BuildNode } from "../../spack/buildGraph.ts";
import { briefSpec, type DagHash, parseDagHash } from "../../spec/concrete.ts";
import { oneError, SpacktainersError } from "../../util/errors.ts";
import { planFile } from "./planPipeline.ts";

/** Largest plan, in bytes. */
const longestPlan = 64 * 2 ** 20;

/** A command line of `ci packages`. */
export interface PackageJobRequest extends ResourcesRequest {
  /** The folder that `ci plan` wrote. */
  readonly plan: string;
  /** A job of it, `STAGE-POSITION`, or the hash of one package. */
  readonly job: string;
  readonly building: BuildingRequest;
}

/** What became of them. */
export interface PackageJobResult {
  readonly job: string;
  /** `name@version/hash`, shortened. */
  readonly built: readonly string[];
  /** Those that were there already: built by an earlier run of the job. */
  readonly reused: readonly string[];
  readonly seconds: number;
}

type PlannedPackage = CiPlan["stages"][number][number]["packages"][number];

/**
 * Builds the packages of a job and pushes each before anything that needs it begins. What they need of other jobs must be in a
 * cache.
 *
 * @throws SpacktainersErrors BUILD_FAILED, also for a package of which another job did not build what it needs; USAGE for a job that
 *   the plan does not have; NOT_FOUND without a plan; LOCK_INVALID
 */
export async function buildPackages(request: PackageJobRequest): Promise<PackageJobResult> {
  const file = join(request.plan, planFile);
  const plan = parseCiPlan(await readTextFile(file, longestPlan), file);
  const packages = packagesOf(plan, request.job, file);
  const repository = await openSoundRepository(request.directory);
  const { configuration } = repository;
  const started = performance.now();
  const built: string[] = [];
  const reused: string[] = [];
  await withResources(configuration, request, async (resources) => {
    const { building } = resources;
    if (building === undefined)
      throw new SpacktainersError("CONFIG_INVALID", "the configuration does not allow builds here", {
        hint: "to allow it: `spack: { build: true }` in spacktainers.yaml",
      });
    await withBuilder({ arch: plan.arch }, { configuration, building, tools: resources }, (builder) =>
      withPublisher(publisher(configuration, resources), async (publish) => {
        for (const group of groupsOf(packages)) {
          const container = await selectOne(group.container, repository, {
            directory: request.directory,
            arch: plan.arch,
          });
          const choice = await lockedChoice(container, configuration, { solve: false });
          if (choice === undefined)
            throw new SpacktainersError("LOCK_INVALID", "there is no lock: copy the plan's locks here", {
              place: { file: container.path },
            });
          const needed = await findNeededPackages(
            { graph: choice.lock.graph, roots: group.hashes },
            resources,
          );
          const { nodes } = needed.graph;
          refuseOthers(nodes, group.hashes);
          const unpublished =
            publish === undefined
              ? []
              : await publishEarlier(needed, building.trust, publish, resources.emit);
          if (unpublished.length > 0) throw oneError(unpublished);
          const missing = new Set<string>(nodes.map(({ spec }) => spec.hash));
          reused.push(...group.packages.filter(({ hash }) => !missing.has(hash)).map(({ label }) => label));
          if (missing.size === 0) continue;
          const compiled = await compileChoice(choice, {
            roots: group.hashes,
            needed,
            building,
            builder: await builder(),
            tools: resources,
            publish,
          });
          built.push(...compiled.built);
        }
      }),
    );
  });
  return { job: request.job, built, reused, seconds: (performance.now() - started) / 1000 };
}

function packagesOf(plan: CiPlan, job: string, file: string): readonly PlannedPackage[] {
  const jobs = plan.stages.flat();
  const found = jobs.find(({ id }) => id === job)?.packages;
  const single = jobs.flatMap(({ packages }) => packages).filter(({ hash }) => hash === job);
  if (found === undefined && single.length === 0)
    throw new SpacktainersError("USAGE", `the plan has no job \`${job}\``, { place: { file } });
  return found ?? single;
}

/** Packages that follow one another and are built in one container's environment. */
function groupsOf(packages: readonly PlannedPackage[]) {
  const groups: { container: string; packages: PlannedPackage[]; hashes: DagHash[] }[] = [];
  for (const one of packages) {
    const hash = parseDagHash(one.hash);
    if (hash === undefined)
      throw new SpacktainersError("DEFINITION_INVALID", `\`${one.hash}\` is not the hash of a package`);
    const last = groups.at(-1);
    if (last?.container === one.container) {
      last.packages.push(one);
      last.hashes.push(hash);
    } else groups.push({ container: one.container, packages: [one], hashes: [hash] });
  }
  return groups;
}

/** What another job should have built and did not is not tried again here. */
function refuseOthers(nodes: readonly BuildNode[], own: readonly DagHash[]): void {
  const others = nodes.filter(({ spec }) => !own.includes(spec.hash)).map(({ spec }) => briefSpec(spec));
  if (others.length === 0) return;
  throw new SpacktainersError("BUILD_FAILED", `not built, because no cache has ${others.join(", ")}`, {
    hint: "the job that builds it failed, or its cache is not one with `push: true` that this machine can read",
  });
}
