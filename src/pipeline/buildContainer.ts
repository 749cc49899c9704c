import { planBase } from "../base/buildBase.ts";
import type { Base } from "../base/types.ts";
import type { CacheSet } from "../buildcache/cacheSet.ts";
import type { Configuration } from "../definitions/configuration.ts";
import type { Container } from "../definitions/repository.ts";
import type { FragmentStore } from "../image/fragmentStore.ts";
import type { InstallPool } from "../install/installPool.ts";
import type { EmitEvent } from "../util/events.ts";
import { shownPath } from "../util/shownPath.ts";
import { type Assembly, finishImage, reportDraft } from "./assembleContainer.ts";
import { baseName, baseSpec } from "./baseSpec.ts";
import type { BuildRequest } from "./buildRequest.ts";
import { defaultOutput, readLayoutImage } from "./builtImage.ts";
import { openCompletion } from "./completeBase.ts";
import { makeFragments } from "./makeFragments.ts";
import { type Output, parseOutput, writeOutput } from "./outputs.ts";
import { baseOptionsOf, imageInputs, openContainerForBuild, planContainer } from "./planContainer.ts";

/** What builds share. */
export interface Workshop {
  readonly caches: CacheSet;
  readonly pool: InstallPool;
  readonly store: FragmentStore;
  readonly baseCacheDir: string;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** A finished image. */
export interface BuildResult {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  /** Of the manifest. */
  readonly digest: string;
  /** Compressed bytes. */
  readonly size: number;
  readonly layers: number;
  readonly packages: readonly { readonly name: string; readonly version: string; readonly hash: string }[];
  /** Packages whose fragment was there already. */
  readonly reused: number;
  /** The image was there already, made of the same inputs. */
  readonly upToDate: boolean;
  readonly outputs: readonly Output[];
  readonly milliseconds: number;
}

/**
 * Builds one container's image: resolve, verify, install, merge, check, write.
 *
 * @throws {SpacktainersError} of any stage; nothing half-written is left, and what is finished is kept for the next run
 */
export async function buildContainer(
  container: Container,
  configuration: Configuration,
  request: BuildRequest,
  workshop: Workshop,
): Promise<BuildResult> {
  const started = performance.now();
  const { caches, pool, store, emit, signal } = workshop;
  const opened = await openContainerForBuild(container, configuration, request, workshop);
  const { loaded, locks } = opened;
  const baseStop = new AbortController();
  const stop = AbortSignal.any([signal, baseStop.signal]);
  const baseOptions = baseOptionsOf(opened, request, { ...workshop, signal: stop });
  // The base does not depend on the packages: it is made beside them.
  const basePlan = planBase(baseSpec(configuration.base), baseOptions);
  const basePromise = basePlan.then((base) => base.build());
  // Until it is awaited below, a failure of it must not count as unhandled.
  basePromise.catch(() => {});
  try {
    const plan = await planContainer(opened, request, basePlan, workshop);
    const { resolved, prefixes, fragments: planned } = plan;
    emit({ type: "stage", stage: "Installing packages", total: planned.length, counts: "install" });
    const fragments = await makeFragments(planned, {
      store,
      pool,
      fetch: (cached) => caches.fetchArchive(cached),
      emit,
      signal,
    });
    const names = { name: container.name, arch: container.arch, version: resolved.version };
    const outputs: readonly Output[] =
      request.outputs.length === 0
        ? [{ kind: "oci", path: defaultOutput(configuration.output, container) }]
        : request.outputs.map((text) => parseOutput(text, request.directory, names));
    const keys = planned.map(({ key }) => key);
    const parts = (base: Base): Assembly => ({
      names,
      configuration,
      loaded,
      resolved,
      prefixes,
      fragments: fragments.map(({ fragment }) => fragment),
      base,
      baseName: baseName(configuration.base, base),
      allow: plan.allow,
    });
    const configuredBase = await basePromise;
    locks.checkBase(configuredBase);
    // A locked base is complete.
    const completion = await openCompletion(
      configuration.base,
      configuredBase,
      keys,
      baseOptions,
      locks.inUse,
    );
    const summary = {
      ...names,
      packages: planned.map(({ spec: { name, version, hash } }) => ({ name, version, hash })),
      reused: fragments.filter(({ reused }) => reused).length,
      outputs,
    };
    const present = await sameImage(outputs, imageInputs(plan, completion.base.key));
    if (present !== undefined)
      return {
        ...summary,
        digest: present.digest,
        size: present.size,
        layers: present.layers,
        upToDate: true,
        milliseconds: performance.now() - started,
      };
    emit({ type: "stage", stage: "Merging the view and checking that everything can run" });
    const { assembly, draft } = await completion.complete(parts);
    reportDraft(draft, emit);
    const image = await finishImage(assembly, draft, store, {
      layers: plan.layers,
      inputs: imageInputs(plan, assembly.base.key),
      created: plan.created,
    });
    const size = image.layers.reduce((sum, layer) => sum + layer.size, image.config.descriptor.size);
    emit({ type: "stage", stage: "Writing the image" });
    for (const output of outputs) {
      signal.throwIfAborted();
      const id = `write:${output.path}`;
      emit({
        type: "task-start",
        id,
        kind: "write",
        label: `${output.kind}:${shownPath(output.path, request.directory)}`,
        bytes: size,
      });
      await writeOutput(image, output, {
        reference: output.kind === "docker-archive" ? `${names.name}:${names.version}` : names.version,
        force: request.force,
        onBytes: (bytes) => emit({ type: "task-progress", id, bytes }),
      });
      emit({ type: "task-end", id, outcome: "done", bytes: size });
    }
    return {
      ...summary,
      digest: image.manifest.descriptor.digest,
      size,
      layers: image.layers.length,
      upToDate: false,
      milliseconds: performance.now() - started,
    };
  } catch (error) {
    baseStop.abort(error);
    await basePromise.catch(() => {});
    throw error;
  }
}

/** The image in all outputs, when they are layouts that hold what these inputs give. */
async function sameImage(outputs: readonly Output[], inputs: string): ReturnType<typeof readLayoutImage> {
  let present: Awaited<ReturnType<typeof readLayoutImage>>;
  for (const output of outputs) {
    if (output.kind !== "oci") return undefined;
    present = await readLayoutImage(output.path);
    if (present?.inputs !== inputs) return undefined;
  }
  return present;
}
