import { imageMtime } from "../archive/entry.ts";
import type { Annotations } from "../archive/oci/types.ts";
import { buildBase } from "../base/buildBase.ts";
import type { Base } from "../base/types.ts";
import type { CacheSet } from "../buildcache/cacheSet.ts";
import type { Configuration } from "../definitions/configuration.ts";
import type { Container } from "../definitions/repository.ts";
import { createdTime } from "../image/created.ts";
import { type FragmentStore, fragmentKey } from "../image/fragmentStore.ts";
import type { InstallPool } from "../install/installPool.ts";
import { writeFacts } from "../supply/factsDocument.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { shownPath } from "../util/shownPath.ts";
import { type Assembly, finishImage, reportDraft } from "./assembleContainer.ts";
import { assemblyVersion } from "./assemblyVersion.ts";
import { baseDigest } from "./baseDigest.ts";
import { baseName, baseSpec } from "./baseSpec.ts";
import type { BuildRequest } from "./buildRequest.ts";
import { defaultOutput, readLayoutImage } from "./builtImage.ts";
import { chooseDialect } from "./chooseDialect.ts";
import { openCompletion } from "./completeBase.ts";
import { decidingFiles } from "./decidingFiles.ts";
import { baseFacts, builtFacts, plannedFacts } from "./imageFacts.ts";
import { imageLabels, manifestAnnotations } from "./imageLabels.ts";
import { licenseFacts } from "./licenseFacts.ts";
import { loadEnvironment } from "./loadEnvironment.ts";
import { makeFragments, planFragments } from "./makeFragments.ts";
import { type Output, parseOutput, writeOutput } from "./outputs.ts";
import { packagePrefixes } from "./packagePrefixes.ts";
import { checkPrefixesFit } from "./preflight.ts";
import { recipeFacts } from "./recipeFacts.ts";
import { resolvePackages } from "./resolvePackages.ts";
import { snapshotTime } from "./snapshotTime.ts";
import { sourceFacts } from "./sourceFacts.ts";
import { openLocks } from "./useLocks.ts";

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
  refuseWhatIsNotBuiltYet(container);
  const dialect = await chooseDialect(container, configuration, caches);
  const { frozen } = request;
  const loaded = await loadEnvironment(
    container,
    dialect === undefined ? { frozen } : { dialect, frozen },
    emit,
  );
  const locks = await openLocks(container, loaded, configuration, { frozen, emit });
  const baseStop = new AbortController();
  const baseOptions = {
    architecture: container.arch,
    cacheDir: workshop.baseCacheDir,
    emit,
    signal: AbortSignal.any([signal, baseStop.signal]),
    refresh: request.refresh,
    ...(locks.base === undefined ? {} : { lock: locks.base }),
  };
  // The base does not depend on the packages: it is made beside them.
  const basePromise = buildBase(baseSpec(configuration.base), baseOptions);
  // Git is asked meanwhile, too.
  const sourcePromise = sourceFacts(
    configuration.root,
    container.path,
    decidingFiles(container, configuration),
  );
  // Until it is awaited below, a failure of it must not count as unhandled.
  basePromise.catch(() => {});
  try {
    const resolved = await resolvePackages(
      loaded,
      caches,
      configuration.platforms[container.arch],
      emit,
      () => recipeFacts(configuration),
    );
    locks.checkPackages(resolved.packages);
    const specs = resolved.packages.map(({ spec }) => spec);
    const { root } = configuration.install;
    const prefixes = packagePrefixes(specs, resolved.graph, {
      root,
      configured: configuration.install.projections,
      environment: loaded.environment,
    });
    await checkPrefixesFit(resolved.packages, prefixes, root, caches);
    const planned = planFragments(resolved.packages, {
      graph: resolved.graph,
      prefixes,
      root,
      options: { strip: request.strip ?? configuration.strip, sbang: "undo", metadata: request.keepMetadata },
    });
    emit({ type: "stage", stage: "Installing packages", total: planned.length, counts: "install" });
    const fragments = await makeFragments(planned, {
      store,
      pool,
      fetch: (cached) => caches.fetchArchive(cached),
      level: configuration.layers.level ?? 6,
      emit,
      signal,
    });
    const names = { name: container.name, arch: container.arch, version: resolved.version };
    const outputs: readonly Output[] =
      request.outputs.length === 0
        ? [{ kind: "oci", path: defaultOutput(configuration.output, container) }]
        : request.outputs.map((text) => parseOutput(text, request.directory, names));
    const allow = [...configuration.linkage.allowUnresolved, ...request.allowUnresolved];
    const created = createdTime([imageMtime, ...snapshotTime(configuration.base)]);
    const source = await sourcePromise;
    const digestOfBase = await baseDigest(configuration.base, container.arch);
    const labelsOf = (base: Base): Annotations =>
      imageLabels({
        names,
        metadata: configuration.image,
        resolved,
        base: { name: baseName(configuration.base, base), digest: digestOfBase },
        source,
        created,
      });
    const keys = fragments.map(({ fragment }) => fragment.key);
    const parts = (base: Base): Assembly => ({
      names,
      configuration,
      loaded,
      resolved,
      prefixes,
      fragments: fragments.map(({ fragment }) => fragment),
      base,
      baseName: baseName(configuration.base, base),
      allow,
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
    const inputsOf = (base: Base): string =>
      `sha256:${fragmentKey({
        assemblyVersion,
        names,
        base: base.key,
        fragments: keys,
        manifest: loaded.manifestText,
        lock: resolved.lockText,
        root,
        view: configuration.view.root,
        budget: configuration.layers.budget,
        allow,
        created,
        labels: labelsOf(base),
      })}`;
    const summary = {
      ...names,
      packages: specs.map(({ name, version, hash }) => ({ name, version, hash })),
      reused: fragments.filter(({ reused }) => reused).length,
      outputs,
    };
    const present = await sameImage(outputs, inputsOf(completion.base));
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
    const inputs = inputsOf(assembly.base);
    const image = await finishImage(assembly, draft, store, {
      inputs,
      created,
      labels: labelsOf(assembly.base),
      annotations: manifestAnnotations(source),
    });
    const known = await plannedFacts({
      container,
      configuration,
      loaded,
      resolved,
      prefixes,
      base: baseFacts(assembly.base, assembly.baseName, digestOfBase),
      locked: locks.inUse,
      source,
      created,
      licenseOf: await licenseFacts(configuration, resolved.graph),
    });
    const facts = builtFacts(known, image, assembly.base, inputs);
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
        facts: writeFacts(facts),
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

/** What later versions will do is refused clearly until then. */
function refuseWhatIsNotBuiltYet(container: Container): void {
  const place = { file: container.path };
  if (container.kind === "def")
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${container.name} is an Apptainer definition file, which is not built yet`,
      {
        place,
        hint: "build it with apptainer; containers with a spack.yaml are built here",
      },
    );
  if (container.epilogue !== undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${container.name} has a Dockerfile.epilogue, which is not applied yet`,
      {
        place: { file: container.epilogue },
        hint: "add OS packages with `base: packages:` in spacktainers.yaml, or move the file away",
      },
    );
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
