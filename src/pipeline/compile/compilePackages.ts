/** Building what no cache has: each package by a Spack process of its own, put into a cache before anything that needs it begins. */
import { mkdir, readFile } from "node:fs/promises";
import type { CacheSet } from "../../buildcache/cacheSet.ts";
import type { BuildNode } from "../../spack/buildGraph.ts";
import { firstErrors, followLog, phaseOf } from "../../spack/buildLog.ts";
import { withBuildSpecRoots } from "../../spack/buildSpecRoots.ts";
import type { Executor, TaskEnd } from "../../spack/executors/executor.ts";
import { installTask, pushStep } from "../../spack/installTask.ts";
import { addToMirror, packageMirror } from "../../spack/packageMirror.ts";
import { makeRunLogs } from "../../spack/runLogs.ts";
import { runSchedule, type ScheduleResult } from "../../spack/schedule.ts";
import { writeEnvironment } from "../../spack/workEnvironment.ts";
import { estimateWork } from "../../spack/workEstimate.ts";
import { briefSpec, type ConcreteSpec, type DagHash } from "../../spec/concrete.ts";
import { errorsOf, SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { type BuildFailure, type EmitEvent, runTask } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import type { LoadedEnvironment } from "../choose/loadEnvironment.ts";
import type { BuildingRequest } from "../workspace/buildingRequest.ts";
import type { Builder, Publish } from "./builder.ts";
import type { EstimatedWork } from "./compilePlan.ts";
import type { NeededPackages } from "./neededPackages.ts";

/** Archives fetched at a time. */
const fetchesAtOnce = 8;
/** Longest log that is searched for errors, in bytes; of a longer one its end. */
const searchedLog = 64 * 2 ** 20;

/** What to build. */
export interface CompileWork {
  /** With the lock. */
  readonly loaded: Pick<LoadedEnvironment, "environment" | "manifestText"> & { readonly lockText: string };
  readonly roots: readonly DagHash[];
  readonly needed: NeededPackages;
  readonly estimated: EstimatedWork;
}

/** With what to build it. */
export interface CompileTools {
  readonly builder: Builder;
  readonly executor: Executor;
  readonly request: Pick<BuildingRequest, "onFailure" | "onlyDependencies" | "until">;
  readonly publish: Publish | undefined;
  readonly caches: Pick<CacheSet, "fetchArchive">;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What was built. */
export interface Compiled {
  /** By their brief names, in the order in which they were done. */
  readonly built: readonly string[];
  readonly seconds: number;
  /** Folder of the logs. */
  readonly logs: string;
}

/**
 * Builds the packages that are missing.
 *
 * @throws SpacktainersErrors BUILD_FAILED for each package that failed, after a `build-failure` event; the others that could be
 *   built are in a cache all the same. INTERRUPTED; errors of fetching, publishing and of the executor
 */
export async function compilePackages(work: CompileWork, tools: CompileTools): Promise<Compiled> {
  const { builder, executor, request, emit, signal } = tools;
  const { spack, times, atOnce, cores, scope, target } = builder;
  const { needed, estimated, loaded } = work;
  const started = performance.now();
  await tools.publish?.prepare();
  await fetchNeeded(needed, tools);
  const environment = await writeEnvironment(spack, {
    ...loaded,
    lockText: withBuildSpecRoots(
      loaded.lockText,
      needed.graph.spliced.map(({ spec }) => spec),
    ),
    scope,
    target,
    mirrors: needed.graph.fetched.length === 0 ? {} : { spacktainers: packageMirror(spack.folders.mirror) },
  });
  await mkdir(spack.folders.built, { recursive: true });
  const logs = await makeRunLogs(spack.folders.logs);
  // A root that another root needs is one of its dependencies; for a spliced one, what it is made of is built.
  const madeOf = new Map(needed.graph.spliced.map(({ spec }) => [spec.hash, spec.buildSpec?.hash]));
  const tops = topsOf(
    needed.graph.nodes,
    work.roots.map((hash) => madeOf.get(hash) ?? hash),
  );
  const nodes = request.onlyDependencies
    ? needed.graph.nodes.filter(({ spec }) => !tops.has(spec.hash))
    : needed.graph.nodes;

  emit({ type: "stage", stage: "build-packages", total: nodes.length, counts: "compile" });
  const phases = new Map<DagHash, string>();
  const unpublished: SpacktainersError[] = [];
  const timeLeft = timeTeller(nodes, estimated, atOnce, emit);
  const open = new Map<DagHash, (end: TaskEnd) => Promise<void>>();
  const publish = async (spec: ConcreteSpec): Promise<void> => {
    const publishing = tools.publish;
    if (publishing === undefined) return;
    await runTask(emit, { kind: "push", label: briefSpec(spec), subject: spec.hash, signal }, () =>
      publishing.put(spec, spack.folders.built),
    ).catch((error: unknown) => {
      // It is built and kept: what needs it can continue, and the next run publishes it.
      unpublished.push(...errorsOf(error, { spec: briefSpec(spec) }));
    });
  };

  const result = await runSchedule({
    nodes,
    executor,
    atOnce,
    cores,
    onFailure: request.onFailure,
    estimate: estimated.estimate,
    signal,
    task: ({ spec }, share) =>
      installTask(spack, {
        spec,
        environment,
        logs,
        resources: {
          cores: share,
          ...(estimated.times.get(spec.hash) ?? { memory: undefined, seconds: undefined }),
        },
        until: tops.has(spec.hash) ? request.until : undefined,
        again: needed.outdated.has(spec.hash),
      }),
    started: ({ spec }, { task }) => {
      timeLeft.begun(spec.hash);
      // The task of the event ends when that of the executor does.
      let over: (end: TaskEnd) => void = () => {};
      const end = new Promise<TaskEnd>((resolve) => {
        over = resolve;
      });
      const reported = runTask(
        emit,
        { kind: "compile", label: task.label, subject: spec.hash },
        async ({ phase }) => {
          const follow = followLog(task.log, (line) => {
            const next = phaseOf(line, spec.name);
            if (next === undefined || next === phases.get(spec.hash)) return;
            phases.set(spec.hash, next);
            phase(next);
          });
          const { outcome } = await end;
          await follow.stop();
          if (outcome !== "done")
            throw new SpacktainersError("BUILD_FAILED", `${briefSpec(spec)} was not built`);
        },
      ).catch(() => {});
      open.set(spec.hash, async (ending) => {
        over(ending);
        await reported;
      });
    },
    ended: async ({ spec }, end) => {
      await open.get(spec.hash)?.(end);
      if (end.outcome !== "done") return;
      await times.record(spec, { seconds: end.seconds, memory: end.memory });
      timeLeft.done(spec.hash);
      if (request.until !== undefined && tops.has(spec.hash)) return;
      await publish(spec);
    },
  });
  stopIfAborted(signal);
  const failures = await reportFailures(result, { phases, logs, stage: spack.folders.stage, emit });
  if (failures.length + unpublished.length > 0) throw new SpacktainersErrors([...failures, ...unpublished]);
  return {
    built: result.done.map(({ spec }) => briefSpec(spec)),
    seconds: (performance.now() - started) / 1000,
    logs,
  };
}

/** The roots that nothing that has to be built needs. */
function topsOf(nodes: readonly BuildNode[], roots: readonly DagHash[]): ReadonlySet<DagHash> {
  const needed = new Set(nodes.flatMap(({ after }) => after));
  return new Set(roots.filter((hash) => !needed.has(hash)));
}

/** Brings what building needs of caches to where Spack finds it. */
async function fetchNeeded(
  { graph, cached }: NeededPackages,
  { caches, builder, emit }: CompileTools,
): Promise<void> {
  if (graph.fetched.length === 0) return;
  emit({ type: "stage", stage: "fetch-build-dependencies", total: graph.fetched.length, counts: "download" });
  const packages = await mapConcurrently(graph.fetched, fetchesAtOnce, async (spec) => {
    const found = cached.get(spec.hash);
    if (found === undefined) throw new SpacktainersError("INTERNAL", `${briefSpec(spec)} was not looked up`);
    return { cached: found, archive: (await caches.fetchArchive(found)).path };
  });
  await addToMirror(builder.spack.folders.mirror, packages, builder.spack.dialect);
}

/** Tells how long the rest will take, where enough is known. */
function timeTeller(
  nodes: readonly BuildNode[],
  { times, estimate }: EstimatedWork,
  atOnce: number,
  emit: EmitEvent,
) {
  const enough = estimate.known * 2 >= nodes.length && estimate.known > 0;
  const begun = new Map<DagHash, number>();
  const left = new Map(nodes.map(({ spec, after }) => [spec.hash, { hash: spec.hash, after }]));
  const tell = (): void => {
    if (!enough) return;
    const work = [...left.values()];
    const now = performance.now();
    const secondsOf = (hash: DagHash): number | undefined => {
      const seconds = times.get(hash)?.seconds;
      const since = begun.get(hash);
      return seconds === undefined || since === undefined
        ? seconds
        : Math.max(1, seconds - (now - since) / 1000);
    };
    emit({ type: "time-left", seconds: estimateWork(work, secondsOf, atOnce).seconds });
  };
  return {
    begun: (hash: DagHash) => {
      begun.set(hash, performance.now());
      tell();
    },
    done: (hash: DagHash) => {
      left.delete(hash);
      tell();
    },
  };
}

/** Where failures were, and where logs are. */
interface FailureContext {
  readonly phases: ReadonlyMap<DagHash, string>;
  readonly logs: string;
  readonly stage: string;
  readonly emit: EmitEvent;
}

/** Says of every package that failed why, and what is not built because of it. */
async function reportFailures(
  { failed, left }: ScheduleResult,
  { phases, logs, stage, emit }: FailureContext,
): Promise<readonly SpacktainersError[]> {
  const errors: SpacktainersError[] = [];
  for (const { node, end } of failed) {
    const { spec } = node;
    const log = `${logs}/${spec.name}-${spec.version}-${spec.hash.slice(0, 7)}.log`;
    const text = await readFile(log, "utf8").then(
      (whole) => (whole.length > searchedLog ? whole.slice(-searchedLog) : whole),
      () => "",
    );
    const excerpts = firstErrors(text);
    const blocked = dependentsOf(node, left);
    const failure: BuildFailure = {
      package: briefSpec(spec),
      phase: end.step === pushStep ? "push" : phases.get(spec.hash),
      reason: end.reason,
      log,
      errors: excerpts,
      blocked: blocked.map((other) => briefSpec(other.spec)),
    };
    emit({ type: "build-failure", ...failure });
    const first = excerpts[0]?.text.replace(/^==> Error: /, "");
    const why = end.reason ?? first ?? `exit status ${end.status ?? "unknown"}`;
    errors.push(
      new SpacktainersError(
        "BUILD_FAILED",
        `${briefSpec(spec)} was not built: ${failure.phase === undefined ? "" : `${failure.phase} failed: `}${why.slice(0, 300)}`,
        {
          place: { spec: briefSpec(spec) },
          hint: `the whole log is ${log}; what was built before is kept, and the next run continues from there (its files are in ${stage})`,
        },
      ),
    );
  }
  return errors;
}

/** The remaining packages that wait for a package, directly or not. */
function dependentsOf({ spec }: BuildNode, left: readonly BuildNode[]): readonly BuildNode[] {
  const waiting = new Set([spec.hash]);
  return left.filter((node) => {
    if (!node.after.some((hash) => waiting.has(hash))) return false;
    waiting.add(node.spec.hash);
    return true;
  });
}
