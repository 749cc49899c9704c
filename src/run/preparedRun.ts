/** One run of an image, with everything that was asked for, and what runtimes need of it. */
import { join } from "node:path";
import { openFragmentStore } from "../image/fragmentStore.ts";
import type { Image, OciImage } from "../image/image.ts";
import { ociImageOf } from "../image/ociImageOf.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import type { ImportContext } from "./engine.ts";
import { fitRoot } from "./fitRoot.ts";
import { hostFiles } from "./hostFiles.ts";
import type { ContainerProcess, RunOptions } from "./types.ts";
import { mergedLayers, type UnpackContext } from "./unpackedLayers.ts";
import { cloneWithAdditions } from "./writeAdditions.ts";

/** One run under way. */
export interface PreparedRun {
  readonly image: Image;
  readonly container: ContainerProcess;
  readonly cache: string;
  readonly emit: EmitEvent;
  readonly options: RunOptions;
}

/** What Apptainer starts: an image of its own, else one directory with places for what it mounts; it makes none by itself. */
export async function apptainerRoot(run: PreparedRun): Promise<string> {
  if (run.image.apptainerPath !== undefined) return run.image.apptainerPath;
  const folder = rootfsFolder(run);
  const image = await mergedLayers(run.image, unpackContext(run));
  const files = await hostFiles(run.container.network);
  const { additions } = await fitRoot([join(folder, image, "fs")], run.container, files, undefined);
  return join(folder, await cloneWithAdditions(image, additions, unpackContext(run)), "fs");
}

/** The image as engines take it. */
export function ociImageOfRun({ image, cache }: PreparedRun): Promise<OciImage> {
  return ociImageOf(image, openFragmentStore(join(cache, "fragments")));
}

/** How to bring an image into an engine. */
export function importContext(program: string, run: PreparedRun): ImportContext {
  const { signal } = run.options;
  return {
    program,
    scratch: join(run.cache, "run"),
    emit: run.emit,
    ...(signal === undefined ? {} : { signal }),
  };
}

/** How the image is unpacked. */
export function unpackContext(run: PreparedRun): UnpackContext {
  const { signal } = run.options;
  return { directory: rootfsFolder(run), emit: run.emit, ...(signal === undefined ? {} : { signal }) };
}

function rootfsFolder(run: PreparedRun): string {
  return join(run.cache, "rootfs");
}

/** @throws SpacktainersError INTERRUPTED */
export function expectNotInterrupted(options: RunOptions): void {
  if (options.signal?.aborted === true)
    throw new SpacktainersError("INTERRUPTED", "interrupted before the container was started");
}
