import type { Inventory } from "../../archive/inventory.ts";
import { type CompressionSettings, encodingOf } from "../../archive/layerCompression.ts";
import { type Annotations, layerMediaType } from "../../archive/oci/types.ts";
import { writeFragment } from "../../archive/writeFragment.ts";
import type { Completion } from "../../base/completions.ts";
import type { Base } from "../../base/types.ts";
import type { CachedPackage } from "../../buildcache/types.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { ImageSettings } from "../../dockerfile/imageSettings.ts";
import {
  assemblyAnnotation,
  baseKeyAnnotation,
  completionAnnotation,
  inputsAnnotation,
  layerContentsAnnotation,
} from "../../image/annotations.ts";
import { assembleImage, contractCommand, contractEntrypoint } from "../../image/assembleImage.ts";
import { fileLayer } from "../../image/fileLayer.ts";
import { type FragmentStore, fragmentKey } from "../../image/fragmentStore.ts";
import type { OciImage } from "../../image/image.ts";
import type { OciLayer } from "../../image/layer.ts";
import { nameMatcher } from "../../linkage/allow.ts";
import { checkLinkage } from "../../linkage/checkLinkage.ts";
import { externalsMissing } from "../../linkage/externals.ts";
import { describeProblem, linkageErrors } from "../../linkage/linkageErrors.ts";
import type { LinkageReport } from "../../linkage/types.ts";
import { type ContentsId, formatContentsId } from "../../publish/layerContents.ts";
import type { DagHash } from "../../spec/concrete.ts";
import { digestOf } from "../../util/digest.ts";
import type { EmitEvent } from "../../util/events.ts";
import {
  environmentValues,
  manifestModifications,
  standardPath,
} from "../../view/environmentModification.ts";
import { FileTree } from "../../view/fileTree.ts";
import type { CachedLibrary } from "../../view/ldSoCache.ts";
import { mergeView } from "../../view/mergeView.ts";
import { changeEnvironment, type OpenRecipes, recipeTexts } from "../../view/recipeChanges.ts";
import type { ViewEntry, ViewPackage } from "../../view/types.ts";
import type { LoadedEnvironment } from "../choose/loadEnvironment.ts";
import type { ResolvedPackages } from "../choose/resolvePackages.ts";
import { inheritedLabels } from "../plan/imageLabels.ts";
import type { OutputNames } from "../workspace/outputs.ts";
import { refuseHidingView } from "../workspace/viewPlace.ts";
import { formatAssemblySettings } from "./assemblySettings.ts";
import { makeTopLayer, streamEntries, type TopLayer } from "./topLayer.ts";
import { viewChoice } from "./viewChoice.ts";

/** The part of an environment's packages that goes into an image, or decides what does. */
export type AssembledPackages = Pick<
  ResolvedPackages,
  "graph" | "roots" | "externals" | "lockText" | "hasSpackPackage"
> & { readonly packages: readonly Pick<CachedPackage, "spec">[] };

/** Everything an image is put together from. */
export interface Assembly {
  readonly names: OutputNames & { readonly arch: "amd64" | "arm64" };
  readonly configuration: Pick<Configuration, "install" | "view">;
  readonly loaded: Pick<LoadedEnvironment, "environment" | "manifestText">;
  readonly resolved: AssembledPackages;
  readonly prefixes: ReadonlyMap<DagHash, string>;
  /** In the order of `resolved.packages`. */
  readonly inventories: readonly Inventory[];
  readonly base: Base;
  readonly baseName: string;
  /** What may stay unresolved. */
  readonly allow: readonly string[];
  /** Of the top layer. */
  readonly compression: CompressionSettings;
}

/** The contents of an image, complete but for the layers' bytes. */
export interface Draft {
  readonly top: TopLayer;
  readonly env: ReadonlyMap<string, string>;
  /** What cannot run, and what is doubtful. */
  readonly report: LinkageReport;
}

/**
 * Works out what an image will have in it - the view and what goes with it - and checks that all of it can run.
 *
 * @throws {SpacktainersError} `VIEW_CONFLICT`
 */
export async function draftImage(assembly: Assembly): Promise<Draft> {
  const { names, configuration, loaded, resolved, prefixes, base, inventories } = assembly;
  const { environment } = loaded;
  const packages = packagesOf(assembly);
  const tree = new FileTree([base.inventory, ...inventories]);
  const choice = viewChoice(environment, resolved.graph);
  if (choice !== undefined) refuseHidingView(tree, configuration.view.root, { file: environment.file });
  const view =
    choice === undefined
      ? undefined
      : mergeView(
          packages.filter(({ spec }) => choice.shows(spec, resolved)),
          {
            viewPath: configuration.view.root,
            layout: "link",
            linkType: choice.linkType,
            metadata: false,
            projectionOf: choice.projectionOf,
          },
          tree,
        );
  const top = makeTopLayer({
    architecture: names.arch,
    graph: resolved.graph,
    roots: resolved.roots,
    prefixes,
    root: configuration.install.root,
    tree,
    inventories,
    view,
    inspections: environment.prefixInspections,
    manifestChanges: manifestModifications(environment.environmentVariables),
    openRecipes: await recipeReader(assembly),
    manifestText: loaded.manifestText,
    lockText: resolved.lockText,
    projectionOf: choice?.projectionOf,
  });
  const env = environmentValues(top.modifications, baseEnvironment(base));
  return { top, env, report: checkAssembled(assembly, { tree: top.tree, libraries: top.libraries, env }) };
}

/** What reads the recipes of packages: loaded only where one of them changes the environment. */
async function recipeReader({ resolved, inventories }: Assembly): Promise<OpenRecipes | undefined> {
  const packages = resolved.graph.values();
  if (!changeEnvironment(recipeTexts(inventories), packages)) return undefined;
  const { RecipeEnvironment } = await import("../../recipes/recipeEnvironment.ts");
  return (world) => new RecipeEnvironment(world);
}

/** An image's files and how programs find what they need. */
export interface Contents {
  readonly tree: FileTree;
  /** What `/etc/ld.so.cache` says. */
  readonly libraries: readonly CachedLibrary[];
  readonly env: ReadonlyMap<string, string>;
}

/** Checks that everything in an image can run. */
export function checkAssembled(assembly: Assembly, { tree, libraries, env }: Contents): LinkageReport {
  const { names, resolved, base } = assembly;
  const found = checkLinkage({
    tree,
    architecture: names.arch,
    packages: packagesOf(assembly),
    cache: libraries,
    searchPath: (env.get("PATH") ?? "").split(":"),
    libraryPath: (env.get("LD_LIBRARY_PATH") ?? "").split(":").filter((path) => path !== ""),
    allow: assembly.allow,
    hasSpackPackage: resolved.hasSpackPackage,
  });
  const isAllowed = nameMatcher(assembly.allow);
  const missing = externalsMissing(resolved.externals, tree, base.libcVersion).filter(
    (problem) => !isAllowed(problem.missing) && !isAllowed(problem.owner),
  );
  return {
    ...found,
    problems: [...found.problems, ...missing.filter(({ severity }) => severity === "error")],
    warnings: [...found.warnings, ...missing.filter(({ severity }) => severity === "warning")],
  };
}

function packagesOf({ resolved, prefixes, inventories }: Assembly): readonly ViewPackage[] {
  return resolved.packages.map(({ spec }, index) => ({
    spec,
    prefix: prefixes.get(spec.hash) ?? "",
    inventory: inventories[index] ?? { entries: [] },
  }));
}

/**
 * Reports what the check found.
 *
 * @throws {SpacktainersError} `LINKAGE_UNRESOLVED`, `LIBC_TOO_OLD`: all that cannot run
 */
export function reportDraft({ top, report }: Draft, emit: EmitEvent): void {
  for (const message of top.notices) emit({ type: "warning", code: "NOTICE", message });
  for (const problem of report.warnings)
    emit({
      type: "warning",
      code: "LINKAGE_UNRESOLVED",
      message: describeProblem(problem),
      place: { spec: problem.owner },
      hint: problem.hint,
    });
  const failure = linkageErrors(report);
  if (failure !== undefined) throw failure;
}

/**
 * The layers of an image: those of the base, those of the packages, the top layer.
 *
 * @param packages lowest first
 * @param baseContents the record of what is in the base
 */
export async function imageLayers(
  { base, baseName, compression }: Assembly,
  draft: Draft,
  store: FragmentStore,
  {
    packages,
    baseContents,
  }: { readonly packages: readonly OciLayer[]; readonly baseContents: ContentsId | undefined },
): Promise<readonly OciLayer[]> {
  return [
    ...base.layers.map(({ inventory: _, ...layer }, index) => ({
      ...layer,
      createdBy: `spacktainers: ${baseName}`,
      // The annotations of a layer in the base's own image are not repeated in this one.
      annotations:
        index > 0 || baseContents === undefined
          ? undefined
          : {
              [baseKeyAnnotation]: base.key,
              [layerContentsAnnotation]: formatContentsId(baseContents),
            },
    })),
    ...packages,
    await topImageLayer(draft.top.entries, compression, store),
  ];
}

/** What {@link finishImage} puts together, in addition to the contents. */
export interface FinishOptions {
  /** From bottom to top. */
  readonly layers: readonly OciLayer[];
  /** How its containers start. */
  readonly settings: ImageSettings;
  /** Digest of everything that decides the image. */
  readonly inputs: string;
  /** Seconds since 1970. */
  readonly created: number;
  /** Of the configuration and the manifest, in addition to those inherited from the base. */
  readonly labels: Annotations;
  /** Of the manifest alone. */
  readonly annotations?: Annotations;
  readonly completion: Completion | undefined;
}

/** How containers of an image start before anything is done to it: as the contract says, and the base. */
export function assembledSettings({ base }: Assembly, { env }: Draft, labels: Annotations): ImageSettings {
  return {
    env,
    entrypoint: contractEntrypoint,
    command: contractCommand,
    labels: new Map(Object.entries({ ...inheritedLabels(base.config?.labels), ...labels })),
    user: base.config?.user,
    workingDirectory: base.config?.workingDir,
    exposedPorts: new Set(),
    volumes: new Set(),
    stopSignal: undefined,
    author: undefined,
  };
}

/**
 * Puts finished parts together: the layers and the documents.
 *
 * @throws {SpacktainersError} `NOT_SUPPORTED` for more layers than runtimes can mount
 */
export function finishImage(
  assembly: Assembly,
  { layers, settings, inputs, created, labels, annotations, completion }: FinishOptions,
): OciImage {
  const { entrypoint = null, command = null, user, workingDirectory, stopSignal, author } = settings;
  return assembleImage({
    architecture: assembly.names.arch,
    layers,
    created,
    env: settings.env,
    entrypoint,
    command,
    labels: Object.fromEntries(settings.labels),
    exposedPorts: settings.exposedPorts,
    volumes: settings.volumes,
    user,
    workingDirectory,
    stopSignal,
    author,
    annotations: {
      ...labels,
      ...annotations,
      [assemblyAnnotation]: formatAssemblySettings({
        ...assembly,
        dialect: assembly.loaded.environment.dialect,
      }),
      [inputsAnnotation]: inputs,
      ...(completion === undefined
        ? {}
        : { [completionAnnotation]: [completion.key, ...completion.libraries].join(" ") }),
    },
  });
}

/** The variables that a base image brings; a base without any starts from the usual PATH. */
function baseEnvironment(base: Base): ReadonlyMap<string, string> {
  const own = (base.config?.env ?? []).map((line): [string, string] => {
    const equals = line.indexOf("=");
    return equals < 0 ? [line, ""] : [line.slice(0, equals), line.slice(equals + 1)];
  });
  return new Map([["PATH", standardPath], ...own]);
}

/** The top layer as a file in the store, where layers of equal content are one. */
async function topImageLayer(
  entries: readonly ViewEntry[],
  compression: CompressionSettings,
  store: FragmentStore,
): Promise<OciLayer> {
  const key = fragmentKey({
    top: 1,
    compression: encodingOf(compression),
    entries: entries.map(({ path, type, mode, target, content }) => ({
      path,
      type,
      mode,
      target: target ?? null,
      content: content === undefined ? null : digestOf(content),
    })),
  });
  const fragment = await store.make(key, async (path) => ({
    facts: await writeFragment(path, streamEntries(entries), { compression }),
    inventory: { entries: [] },
  }));
  const { path, digest, size, diffId } = fragment;
  const facts = {
    digest,
    size,
    diffId,
    mediaType: layerMediaType(fragment.compression),
    createdBy: "spacktainers: view and environment",
    annotations: undefined,
  };
  return fileLayer(facts, { path, offset: 0, size }, { isOurs: true });
}
