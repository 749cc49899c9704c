/** What carrying out an epilogue works on and with. */
import type { CompressionSettings } from "../../archive/layerCompression.ts";
import type { BuildContext } from "../../dockerfile/buildContext.ts";
import type { CommandRunner } from "../../dockerfile/commandRunner.ts";
import type { FragmentStore } from "../../image/fragmentStore.ts";
import type { LayerSource } from "../../run/ownedLayers.ts";
import type { Digest } from "../../util/digest.ts";
import type { EmitEvent } from "../../util/events.ts";
import type { FileTree } from "../../view/fileTree.ts";

/** The image so far. */
export interface ImageBelow {
  /** From bottom to top. */
  readonly layers: readonly LayerSource[];
  /** Those of them in which files may belong to others than root. */
  readonly foreign: readonly LayerSource[];
  readonly tree: FileTree;
}

/** What making layers takes. */
export interface EpilogueTools {
  /** Path of the Dockerfile, for errors. */
  readonly file: string;
  readonly context: BuildContext;
  readonly architecture: "amd64" | "arm64";
  readonly store: FragmentStore;
  readonly compression: CompressionSettings;
  /** Whether commands may use the network. */
  readonly network: boolean;
  /** Makes every layer again that a command made with the network. */
  readonly refresh: boolean;
  /** Folder for caches of `--mount=type=cache`. */
  readonly cacheDirectory: string;
  /** Files that commands see which use the network, by path in the image: where they are on this machine, or what they say. */
  readonly networkFiles: (
    tree: FileTree,
  ) => Promise<ReadonlyMap<string, { readonly file: string } | { readonly text: string }>>;
  /** Opens what runs commands; asked for once, when there is a command to run. */
  readonly openRunner: () => Promise<CommandRunner>;
  /** Fetches what ADD names, by its digest. */
  readonly fetch: (url: string, digest: Digest) => Promise<{ readonly path: string; readonly size: number }>;
  readonly emit: EmitEvent;
}
