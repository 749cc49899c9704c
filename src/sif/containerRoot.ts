/** The root file system of a container: an image's layers, what a definition adds, and what Apptainer needs. */
import { imageMtime } from "../archive/entry.ts";
import { writeTar } from "../archive/writeTar.ts";
import { createdTime } from "../image/created.ts";
import type { Image } from "../image/image.ts";
import { containerFiles, type DefinitionTexts, isContainerFile, noSections } from "./containerFiles.ts";
import type { LayerTree } from "./layerTree.ts";
import { type MergedImage, mergeLayers, type OwnEntry } from "./mergeLayers.ts";
import { runSquashfsTool, type SquashfsCompression, type SquashfsTool } from "./squashfsTool.ts";

/** What a definition file adds to an image. */
export interface DefinitionAdditions {
  /** The definition file's text. */
  readonly text: string;
  readonly sections: DefinitionTexts;
  /** Files of `%files`, placed where they go. */
  files(tree: LayerTree, mtime: number): Promise<readonly OwnEntry[]>;
}

/** A root file system, worked out but not written. */
export interface ContainerRoot {
  readonly merged: MergedImage;
  readonly architecture: string;
  readonly definition: string;
  /** What `apptainer inspect` shows. */
  readonly inspection: object;
  /** Time of the image, in seconds since 1970. */
  readonly created: number;
  /** What lies on top of the image's layers. */
  readonly own: readonly OwnEntry[];
  /** Text of a script or document of the container, wherever it comes from; undefined when there is none. */
  textOf(path: string): string | undefined;
  /** Variables of the image's configuration that no shell can set, and so are left out. */
  readonly skippedVariables: readonly string[];
}

/**
 * Works out the root file system of a container.
 *
 * @param additions of a definition file; none for an image as it is
 * @throws {SpacktainersError} `ARCHIVE_INVALID`, `ARCHIVE_UNSAFE`, `CHECKSUM_MISMATCH` for bad layers; `USAGE` for a bad
 *   `SOURCE_DATE_EPOCH`
 */
export async function containerRoot(
  image: Image,
  additions?: DefinitionAdditions,
  signal?: AbortSignal,
): Promise<ContainerRoot> {
  const { origin } = image;
  const config = (await image.config()).value;
  const created = createdTime([secondsOf(config.created) ?? imageMtime]);
  const definition =
    additions?.text ??
    `bootstrap: ${origin.bootstrap}\n${origin.from === "" ? "" : `from: ${origin.from}\n`}`;
  const execution = config.config ?? {};
  const oci = {
    env: execution.Env ?? [],
    entrypoint: execution.Entrypoint ?? [],
    command: execution.Cmd ?? [],
    labels: execution.Labels ?? {},
  };
  let inspection: object = {};
  let skippedVariables: readonly string[] = [];
  let ownEntries: readonly OwnEntry[] = [];
  let textOf: ContainerRoot["textOf"] = () => undefined;
  const merged = await mergeLayers(await image.layers(), {
    remember: isContainerFile,
    async own(tree, read) {
      const files = (await additions?.files(tree, created)) ?? [];
      const made = containerFiles(
        {
          definition,
          origin,
          architecture: config.architecture,
          created,
          ...(image.hasOwnScripts ? {} : { oci }),
          sections: additions?.sections ?? noSections,
        },
        tree,
        read,
      );
      inspection = made.inspection;
      skippedVariables = made.skippedVariables;
      textOf = made.textOf;
      ownEntries = [...files, ...made.entries];
      return ownEntries;
    },
    signal,
  });
  return {
    merged,
    architecture: config.architecture,
    definition,
    inspection,
    created,
    own: ownEntries,
    textOf,
    skippedVariables,
  };
}

/** How to write a root file system. */
export interface WriteRootOptions {
  readonly tool: SquashfsTool;
  readonly compression: SquashfsCompression;
  readonly level: number;
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a root file system as squashfs into a new file, streamed. Everything in it belongs to root, as in what an ordinary
 * user's `apptainer build` makes: owners mean nothing where the mount gives no rights, and the bytes must not depend on
 * who makes them. Extended attributes are left out for the same reason.
 *
 * @param offset where in the file it should begin; see `runSquashfsTool`
 * @returns where it begins
 * @throws {SpacktainersError} `PROCESS_FAILED`, `DISK_FULL`; whatever reading the layers throws
 */
export function writeRoot(
  root: ContainerRoot,
  path: string,
  offset: number,
  { tool, compression, level, onBytes, signal }: WriteRootOptions,
): Promise<number> {
  async function* tar(): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of writeTar(root.merged.entries(), { trailer: true })) {
      onBytes?.(chunk.length);
      yield chunk;
    }
  }
  const options = {
    compression,
    level,
    time: fileSystemTime(root),
    signal,
  };
  return runSquashfsTool(tool, { path, offset }, tar(), options);
}

/**
 * `mksquashfs` gives the root directory the time of the clock unless that is later than the time asked for, and sets back
 * what is newer than that: so it is the newest of all times, as far as they are past.
 */
function fileSystemTime({ merged, created }: ContainerRoot): number {
  return Math.max(merged.newest, created <= Date.now() / 1000 ? created : 0);
}

/** Seconds of an RFC 3339 time; undefined if it is not one. */
function secondsOf(text: string | undefined): number | undefined {
  const milliseconds = text === undefined ? Number.NaN : Date.parse(text);
  if (!Number.isFinite(milliseconds)) return undefined;
  return Math.min(Math.max(0, Math.floor(milliseconds / 1000)), 2 ** 32 - 1);
}
