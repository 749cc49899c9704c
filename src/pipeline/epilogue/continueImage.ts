/** An assembled image and what its `Dockerfile.epilogue` makes of it. */
import { join } from "node:path";
import type { Annotations } from "../../archive/oci/types.ts";
import { layerMediaType } from "../../archive/oci/types.ts";
import { parseDpkgStatus } from "../../base/dpkgStatus.ts";
import type { BasePackage } from "../../base/types.ts";
import type { BaseConfiguration } from "../../definitions/configuration.ts";
import { evaluate } from "../../dockerfile/evaluate.ts";
import type { ImageSettings } from "../../dockerfile/imageSettings.ts";
import type { Step } from "../../dockerfile/step.ts";
import { epilogueAnnotation, layerContentsAnnotation, layerKeysAnnotation } from "../../image/annotations.ts";
import { fileLayer } from "../../image/fileLayer.ts";
import type { OciLayer } from "../../image/layer.ts";
import type { ContentsSource } from "../../publish/contentsArtifact.ts";
import { contentsOf, formatContentsId } from "../../publish/layerContents.ts";
import type { PublishedLayers } from "../../publish/publishedLayers.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import type { EmitEvent } from "../../util/events.ts";
import type { FileTree } from "../../view/fileTree.ts";
import {
  type Assembly,
  assembledSettings,
  checkAssembled,
  type Draft,
} from "../assemble/assembleContainer.ts";
import { viewChoice } from "../assemble/viewChoice.ts";
import type { PlannedEpilogue } from "../plan/planEpilogue.ts";
import type { Resources } from "../workspace/resources.ts";
import { applyEpilogue, type EpilogueLayer, type FoundLayer } from "./applyEpilogue.ts";
import { fetchAddress } from "./fetchAddress.ts";
import { layerSource } from "./layerSource.ts";
import { networkFiles } from "./networkFiles.ts";
import { openRunner } from "./openRunner.ts";

/** An image before its epilogue. */
export interface ImageBefore {
  readonly assembly: Assembly;
  readonly draft: Draft;
  /** From bottom to top. */
  readonly layers: readonly OciLayer[];
  /** Its labels, in addition to those inherited from the base. */
  readonly labels: Annotations;
  /** What lies underneath, as configured. */
  readonly base: BaseConfiguration;
}

/** An image after its epilogue. */
export interface ContinuedImage {
  readonly layers: readonly OciLayer[];
  /** The records of what is in the layers added. */
  readonly contents: readonly ContentsSource[];
  readonly settings: ImageSettings;
  /** With what was found when the result was checked. */
  readonly draft: Draft;
  /** OS packages that are there now; undefined: the epilogue changed none. */
  readonly osPackages: readonly BasePackage[] | undefined;
  readonly annotations: Annotations;
}

/** Where packages are recorded that dpkg installed. */
const statusPath = "var/lib/dpkg/status";

/**
 * Carries the epilogue out on an assembled image, and checks the result.
 *
 * @param published layers in the registry that the image goes to
 * @throws SpacktainersError of evaluating, copying and running
 */
export async function continueImage(
  epilogue: PlannedEpilogue,
  before: ImageBefore,
  resources: Pick<Resources, "store" | "emit" | "signal">,
  { published, refresh }: { readonly published: PublishedLayers | undefined; readonly refresh: boolean },
): Promise<ContinuedImage> {
  const { assembly, draft, layers } = before;
  const { emit, signal, store } = resources;
  const architecture = assembly.names.arch;
  const evaluation = evaluate(epilogue.dockerfile, {
    settings: assembledSettings(assembly, draft, before.labels),
    arguments: epilogue.arguments,
    architecture,
  });
  warnOfUnset(evaluation.steps, epilogue, emit);
  const sources = layers.map(layerSource);
  const { tree } = draft.top;
  const isViewed = viewChoice(assembly.loaded.environment, assembly.resolved.graph) !== undefined;
  const applied = await applyEpilogue<FoundElsewhere>(
    evaluation,
    // Packages, view and environment are all root's.
    { layers: sources, foreign: sources.slice(0, assembly.base.layers.length), tree },
    {
      file: epilogue.file,
      context: epilogue.context,
      architecture,
      store,
      compression: assembly.compression,
      network: epilogue.network,
      refresh,
      cacheDirectory: join(cacheHome(), "epilogue"),
      networkFiles: (now) => networkFiles(now, before.base, architecture),
      openRunner: () => openRunner(epilogue.runner, architecture, signal),
      fetch: (url, digest) => fetchAddress(url, digest, { emit, signal }),
      emit,
    },
    {
      libraries: draft.top.libraries,
      viewPath: isViewed ? assembly.configuration.view.root : undefined,
      find: (key) => findPublished(key, published),
    },
  );
  const made = await Promise.all(applied.layers.map(finishedLayer));
  const { env } = evaluation.settings;
  return {
    layers: [...layers, ...made.map(({ layer }) => layer)],
    contents: made.map(({ contents }) => contents),
    settings: evaluation.settings,
    draft: { ...draft, env, report: checkAssembled(assembly, { tree, libraries: applied.libraries, env }) },
    osPackages: osPackagesIn(tree, assembly.base.packages),
    annotations: {
      [epilogueAnnotation]: JSON.stringify({ layers: made.length, commands: epilogue.commands > 0 }),
    },
  };
}

interface FoundElsewhere {
  readonly layer: OciLayer;
  readonly contents: ContentsSource;
}

async function findPublished(
  key: string,
  published: PublishedLayers | undefined,
): Promise<FoundLayer<FoundElsewhere> | undefined> {
  const found = await published?.findLayer([key]);
  if (found === undefined) return undefined;
  const { layer, inventories, contents } = found;
  return {
    layer: { layer, contents },
    source: layerSource(layer),
    inventory: inventories[0] ?? { entries: [] },
  };
}

/** A layer as an image has it, with the record of what is in it. */
async function finishedLayer({
  key,
  createdBy,
  made,
}: EpilogueLayer<FoundElsewhere>): Promise<FoundElsewhere> {
  if ("found" in made) {
    const { layer, contents } = made.found;
    return { layer: { ...layer, createdBy, annotations: wordsOf(key, contents) }, contents };
  }
  const { path, digest, size, diffId, compression, inventoryBytes } = made.fragment;
  const record = contentsOf([await inventoryBytes()]);
  const contents: ContentsSource = {
    digest: record.digest,
    size: record.size,
    load: async () => contentsOf([await inventoryBytes()]),
  };
  const mediaType = layerMediaType(compression);
  const facts = { digest, size, diffId, mediaType, createdBy, annotations: wordsOf(key, contents) };
  return { layer: fileLayer(facts, { path, offset: 0, size }, { isOurs: true }), contents };
}

function wordsOf(key: string, contents: ContentsSource): Annotations {
  return { [layerKeysAnnotation]: key, [layerContentsAnnotation]: formatContentsId(contents) };
}

function warnOfUnset(steps: readonly Step[], { file }: PlannedEpilogue, emit: EmitEvent): void {
  for (const { instruction, unset } of steps)
    for (const name of unset)
      emit({
        type: "warning",
        code: "NOTICE",
        message: `$${name} is not set, so it is empty`,
        place: { file, line: instruction.line, column: instruction.column },
      });
}

/** The packages that dpkg knows of after the epilogue, where it wrote about them; those of the base with all that is known of them. */
function osPackagesIn(tree: FileTree, known: readonly BasePackage[]): readonly BasePackage[] | undefined {
  const text = tree.resolve(statusPath)?.entry.text;
  if (text === undefined) return undefined;
  const name = (one: BasePackage): string => `${one.name} ${one.version} ${one.architecture}`;
  const before = new Map(known.map((one) => [name(one), one]));
  return parseDpkgStatus(Buffer.from(text, "latin1").toString("utf8"))
    .map((one) => before.get(name(one)) ?? one)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
