/** One run of an image, with everything that was asked for, and what runtimes need of it. */
import { join } from "node:path";
import type { LayoutImage } from "../archive/oci/readOciLayout.ts";
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
  readonly image: LayoutImage;
  readonly layout: string;
  readonly container: ContainerProcess;
  readonly cache: string;
  readonly emit: EmitEvent;
  readonly options: RunOptions;
}

/** The image as one directory, with places for what Apptainer mounts; it makes none by itself. */
export async function sandbox(run: PreparedRun): Promise<string> {
  const folder = rootfsFolder(run);
  const image = await mergedLayers(run.image.layers, unpackContext(run));
  const files = await hostFiles(run.container.network);
  const { additions } = await fitRoot([join(folder, image, "fs")], run.container, files, undefined);
  return join(folder, await cloneWithAdditions(image, additions, unpackContext(run)), "fs");
}

/** How engines take the image. */
export function importContext(program: string, run: PreparedRun): ImportContext {
  const { signal } = run.options;
  return {
    program,
    layout: run.layout,
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
