import { mediaTypes } from "../archive/oci/types.ts";
import { writeFragment } from "../archive/writeFragment.ts";
import type { Base } from "../base/types.ts";
import type { Configuration } from "../definitions/configuration.ts";
import { type FragmentStore, fragmentKey, type StoredFragment } from "../image/fragmentStore.ts";
import { assembleImage, type Image, type ImageLayer } from "../image/image.ts";
import { packageLayerBudget } from "../image/planLayers.ts";
import { nameMatcher } from "../linkage/allow.ts";
import { checkLinkage } from "../linkage/checkLinkage.ts";
import { externalsMissing } from "../linkage/externals.ts";
import { describeProblem, linkageErrors } from "../linkage/linkageErrors.ts";
import type { LinkageReport } from "../linkage/types.ts";
import type { DagHash } from "../spec/concrete.ts";
import { digestOf } from "../util/digest.ts";
import type { EmitEvent } from "../util/events.ts";
import { environmentValues, manifestModifications, standardPath } from "../view/environmentModification.ts";
import { FileTree } from "../view/fileTree.ts";
import { mergeView } from "../view/mergeView.ts";
import type { ViewEntry } from "../view/types.ts";
import { inputsAnnotation } from "./builtImage.ts";
import type { LoadedEnvironment } from "./loadEnvironment.ts";
import type { OutputNames } from "./outputs.ts";
import { packageLayers } from "./packageLayers.ts";
import type { ResolvedPackages } from "./resolvePackages.ts";
import { makeTopLayer, streamEntries, type TopLayer } from "./topLayer.ts";
import { viewChoice } from "./viewChoice.ts";
import { refuseHidingView } from "./viewPlace.ts";

/** Everything an image is put together from. */
export interface Assembly {
  readonly names: OutputNames & { readonly arch: "amd64" | "arm64" };
  readonly configuration: Configuration;
  readonly loaded: LoadedEnvironment;
  readonly resolved: ResolvedPackages;
  readonly prefixes: ReadonlyMap<DagHash, string>;
  /** In the order of `resolved.packages`. */
  readonly fragments: readonly StoredFragment[];
  readonly base: Base;
  readonly baseName: string;
  /** What may stay unresolved. */
  readonly allow: readonly string[];
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
  const { names, configuration, loaded, resolved, prefixes, base } = assembly;
  const { environment } = loaded;
  const inventories = await Promise.all(assembly.fragments.map((fragment) => fragment.inventory()));
  const packages = resolved.packages.map(({ spec }, index) => ({
    spec,
    prefix: prefixes.get(spec.hash) ?? "",
    inventory: inventories[index] ?? { entries: [] },
  }));
  const tree = new FileTree([base.inventory, ...inventories]);
  const choice = viewChoice(environment, resolved.graph);
  if (choice !== undefined)
    refuseHidingView(tree, configuration.view.root, configuration.placeOf(["view", "root"]));
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
    manifestChanges: manifestModifications(environment.environmentVariables),
    manifestText: loaded.manifestText,
    lockText: resolved.lockText,
    ...(choice === undefined ? {} : { projectionOf: choice.projectionOf }),
  });
  const env = environmentValues(top.modifications, baseEnvironment(base));
  const found = checkLinkage({
    tree: top.tree,
    architecture: names.arch,
    packages,
    cache: top.libraries,
    searchPath: (env.get("PATH") ?? "").split(":"),
    libraryPath: (env.get("LD_LIBRARY_PATH") ?? "").split(":").filter((path) => path !== ""),
    allow: assembly.allow,
    ...(resolved.hasSpackPackage === undefined ? {} : { hasSpackPackage: resolved.hasSpackPackage }),
  });
  const isAllowed = nameMatcher(assembly.allow);
  const missing = externalsMissing(resolved.externals, top.tree, base.libcVersion).filter(
    (problem) => !isAllowed(problem.missing) && !isAllowed(problem.owner),
  );
  return {
    top,
    env,
    report: {
      ...found,
      problems: [...found.problems, ...missing.filter(({ severity }) => severity === "error")],
      warnings: [...found.warnings, ...missing.filter(({ severity }) => severity === "warning")],
    },
  };
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
      ...(problem.hint === undefined ? {} : { hint: problem.hint }),
    });
  const failure = linkageErrors(report);
  if (failure !== undefined) throw failure;
}

/**
 * Puts finished parts together: the layers of base and packages, the top layer, the documents.
 *
 * @param inputs digest of everything that decides the image
 * @param created seconds since 1970
 * @throws {SpacktainersError} `BASE_INVALID` when the base leaves no room for layers
 */
export async function finishImage(
  assembly: Assembly,
  draft: Draft,
  store: FragmentStore,
  { inputs, created }: { readonly inputs: string; readonly created: number },
): Promise<Image> {
  const { names, configuration, resolved, base } = assembly;
  const budget = packageLayerBudget(configuration.layers.budget, base.layers.length + 1);
  const packages = resolved.packages.map(({ spec }, index) => ({
    spec,
    fragment: fragmentAt(assembly.fragments, index),
  }));
  const layers: ImageLayer[] = [
    ...base.layers.map((layer) => ({ ...layer, createdBy: `spacktainers: ${assembly.baseName}` })),
    // Dependencies first: what is needed by most lies lowest.
    ...(await packageLayers(packages.reverse(), budget, store)),
    await topImageLayer(draft.top.entries, configuration.layers.level ?? 6, store),
  ];
  const roots = resolved.resolution.roots.map(({ request }) => request);
  const labels = {
    "org.opencontainers.image.title": names.name,
    "org.opencontainers.image.version": names.version,
    "org.opencontainers.image.base.name": assembly.baseName,
    "dev.spacktainers.specs": roots.join(", "),
  };
  return assembleImage({
    architecture: names.arch,
    layers,
    created,
    env: draft.env,
    labels: { ...base.config?.labels, ...labels },
    ...(base.config?.user === undefined ? {} : { user: base.config.user }),
    ...(base.config?.workingDir === undefined ? {} : { workingDirectory: base.config.workingDir }),
    annotations: { ...labels, [inputsAnnotation]: inputs },
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

function fragmentAt(fragments: readonly StoredFragment[], index: number): StoredFragment {
  const fragment = fragments[index];
  if (fragment === undefined) throw new Error("a package has no fragment");
  return fragment;
}

/** The top layer as a file in the store, where layers of equal content are one. */
async function topImageLayer(
  entries: readonly ViewEntry[],
  level: number,
  store: FragmentStore,
): Promise<ImageLayer> {
  const key = fragmentKey({
    top: 1,
    level,
    zlib: process.versions.zlib,
    entries: entries.map(({ path, type, mode, target, content }) => ({
      path,
      type,
      mode,
      target: target ?? null,
      content: content === undefined ? null : digestOf(content),
    })),
  });
  const fragment = await store.make(key, async (path) => ({
    facts: await writeFragment(path, streamEntries(entries), { level }),
    inventory: { entries: [] },
  }));
  return {
    path: fragment.path,
    digest: fragment.digest,
    size: fragment.size,
    diffId: fragment.diffId,
    mediaType: mediaTypes.layer,
    createdBy: "spacktainers: view and environment",
  };
}
