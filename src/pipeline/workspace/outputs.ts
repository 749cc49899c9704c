import { resolve } from "node:path";
import { type OciImage, storedSize } from "../../image/image.ts";
import { localLayers } from "../../image/registryLayer.ts";
import { writeDockerArchive, writeOciArchive } from "../../image/writeArchives.ts";
import { writeOciLayout } from "../../image/writeOciLayout.ts";
import { writeRootfs } from "../../image/writeRootfs.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask, type Task } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { shownPath } from "../../util/shownPath.ts";

const kinds = ["oci", "oci-archive", "docker-archive", "rootfs", "sif", "squashfs"] as const;

/** A place for an image, and its form. */
export interface Output {
  readonly kind: (typeof kinds)[number];
  /** Absolute. */
  readonly path: string;
}

/** What stands for a container in an output's path. */
export interface OutputNames {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
}

/**
 * Reads `kind:path`; `{name}`, `{arch}` and `{version}` in the path stand for the container's.
 *
 * @param directory what a relative path starts from
 * @throws {SpacktainersError} `USAGE`
 */
export function parseOutput(text: string, directory: string, names: OutputNames): Output {
  const colon = text.indexOf(":");
  const kind = kinds.find((known) => known === text.slice(0, colon));
  const path = text.slice(colon + 1);
  if (kind === undefined || path === "")
    throw new SpacktainersError("USAGE", `--output ${text} is not an output`, {
      hint: `write one of ${kinds.map((known) => `${known}:PATH`).join(", ")}`,
    });
  const filled = path
    .replaceAll("{name}", names.name)
    .replaceAll("{arch}", names.arch)
    .replaceAll("{version}", names.version);
  return { kind, path: resolve(directory, filled) };
}

/** Writes an image to a place, whole or not at all. */
export async function writeOutput(
  image: OciImage,
  output: Output,
  options: {
    readonly reference: string;
    readonly force: boolean;
    /** What is known of the image, kept beside it where the form allows it; undefined when nothing is. */
    readonly facts: Buffer | undefined;
    readonly onBytes: (bytes: number) => void;
    /** Told what `onBytes` will add up to, where that is known only once the layers are read. */
    readonly onTotal?: (bytes: number) => void;
    readonly emit: EmitEvent;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { facts, ...rest } = options;
  const beside = facts === undefined ? {} : { facts: [facts] };
  switch (output.kind) {
    case "oci":
      return writeOciLayout(output.path, [image], { ...rest, ...beside });
    case "oci-archive":
      return writeOciArchive(output.path, [image], { ...rest, ...beside });
    case "docker-archive":
      return writeDockerArchive(output.path, image, rest);
    case "rootfs":
      return writeRootfs(output.path, await image.layers(), {
        ...rest,
        onLeftOut: (message) =>
          options.emit({
            type: "warning",
            code: "NOTICE",
            message,
            hint: "the forms `oci:` and `oci-archive:` keep everything",
            place: { file: output.path },
          }),
      });
    case "sif":
      await (await import("../../sif/writeSif.ts")).writeSif(output.path, image, rest);
      return;
    case "squashfs":
      await (await import("../../sif/writeSif.ts")).writeSquashfs(output.path, image, rest);
  }
}

/**
 * The task of writing an output, as it is announced.
 *
 * @param directory what its path is shown from
 * @param bytes of the image, when known
 */
export function outputTask({ kind, path }: Output, directory: string, bytes: number | undefined): Task {
  return { kind: "write", subject: path, label: `${kind}:${shownPath(path, directory)}`, bytes };
}

/** What an image is called in an archive: Docker's have no place for a version without a name. */
export function outputReference(output: Output, { name, version }: OutputNames): string {
  return output.kind === "docker-archive" ? `${name}:${version}` : version;
}

/**
 * Writes an image to all of these places, one after the other, each whole or not at all. Layers that are in a registry are
 * fetched first.
 *
 * @throws {SpacktainersError} `OUTPUT_EXISTS`, `INTERRUPTED`; of the system
 */
export async function writeOutputs(
  image: OciImage,
  outputs: readonly Output[],
  names: OutputNames,
  options: {
    /** What paths are shown from. */
    readonly directory: string;
    readonly force: boolean;
    readonly facts: Buffer | undefined;
    readonly emit: EmitEvent;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { directory, force, facts, emit, signal } = options;
  const bytes = storedSize(image.manifest.value);
  await localLayers(image);
  emit({ type: "stage", stage: "write-image" });
  for (const output of outputs) {
    stopIfAborted(signal);
    await runTask(emit, outputTask(output, directory, bytes), ({ progress, size }) =>
      writeOutput(image, output, {
        reference: outputReference(output, names),
        force,
        facts,
        onBytes: progress,
        onTotal: size,
        emit,
        signal,
      }),
    );
  }
}
