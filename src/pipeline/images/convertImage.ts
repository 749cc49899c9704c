import { resolve } from "node:path";
import { isOciImage } from "../../image/image.ts";
import { localLayers } from "../../image/registryLayer.ts";
import type { Signer } from "../../openpgp/signer.ts";
import type { SquashfsCompression } from "../../sif/squashfsTool.ts";
import { type SifSummary, writeSif, writeSquashfs } from "../../sif/writeSif.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { expectWritable } from "../../util/expectWritable.ts";
import { shownPath } from "../../util/shownPath.ts";
import { openRepository } from "../workspace/workspace.ts";
import type { OpenReference } from "./openReference.ts";
import { withImage } from "./openSubject.ts";

/** A command line of `sif`. */
export interface ConvertRequest {
  readonly directory: string;
  /** An image in any form that `findImage` knows. */
  readonly source: string;
  readonly arch: string | undefined;
  /** Undefined: `NAME.sif` in the directory. */
  readonly output: string | undefined;
  /** Undefined: as the output's ending says, else SIF. */
  readonly format: "sif" | "squashfs" | undefined;
  readonly compression: SquashfsCompression | undefined;
  readonly level: number | undefined;
  readonly signer: Signer | undefined;
  readonly force: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
  /** Reads images of registries; default: with the repository's configuration. */
  readonly open?: OpenReference | undefined;
}

/** A file that was written. */
export interface Conversion extends SifSummary {
  readonly format: "sif" | "squashfs";
  /** Absolute. */
  readonly path: string;
  readonly signedBy: string | undefined;
  readonly milliseconds: number;
}

/**
 * Writes an image as a SIF or squashfs file.
 * @throws {SpacktainersError} of finding and opening the image, and those of `writeSif`
 */
export async function convertImage(request: ConvertRequest): Promise<Conversion> {
  const started = performance.now();
  const { source, directory, arch, emit, signal, open } = request;
  const repository = await openRepository(directory);
  const question = { directory, arch, preferHost: true, emit, signal, open };
  return withImage(source, repository, question, async ({ subject, image }) => {
    const format =
      request.format ?? (/\.(sqfs|squashfs|sqsh)$/.test(request.output ?? "") ? "squashfs" : "sif");
    const path = resolve(directory, request.output ?? `${subject.name}.${format === "sif" ? "sif" : "sqfs"}`);
    if (path === image.apptainerPath)
      throw new SpacktainersError("USAGE", `${subject.name} is a SIF or squashfs file already`, {
        place: { file: path },
        hint: "name another file with --output",
      });
    await expectWritable(path);
    const label = `${format}:${shownPath(path, directory)}`;
    const write = format === "sif" ? writeSif : writeSquashfs;
    emit({ type: "stage", stage: "read-layers" });
    // All of them are read, most of them twice.
    if (isOciImage(image)) await localLayers(image);
    const summary = await runTask(emit, { kind: "write", subject: path, label }, ({ progress, size }) =>
      write(path, image, {
        force: request.force,
        emit,
        signal,
        onTotal: (bytes) => {
          emit({ type: "stage", stage: "write-file" });
          size(bytes);
        },
        onBytes: progress,
        compression: request.compression,
        level: request.level,
        signer: request.signer,
      }),
    );
    return {
      ...summary,
      format,
      path,
      signedBy: request.signer?.fingerprint,
      milliseconds: performance.now() - started,
    };
  });
}
