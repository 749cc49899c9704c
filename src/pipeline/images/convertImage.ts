import { basename, resolve } from "node:path";
import { hostArchitecture } from "../../definitions/select.ts";
import type { OpenImage } from "../../image/imageContents.ts";
import { openSource, parseSource } from "../../image/openSource.ts";
import type { Signer } from "../../openpgp/signer.ts";
import type { SquashfsCompression } from "../../sif/squashfsTool.ts";
import { type SifSummary, writeSif, writeSquashfs } from "../../sif/writeSif.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { shownPath } from "../../util/shownPath.ts";
import { asArchitecture } from "../workspace/architecture.ts";
import { openRepository } from "../workspace/workspace.ts";
import { builtLayout } from "./builtLayout.ts";
import { type OpenReference, referenceOpener } from "./openReference.ts";

/** A command line of `sif`. */
export interface ConvertRequest {
  readonly directory: string;
  /** A container's name, a layout's directory, `oci:…`, `oci-archive:…`, `docker-archive:…`, `docker://…` or `oras://…`. */
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
  readonly open?: OpenReference;
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
 *
 * @throws {SpacktainersError} `NOT_FOUND` when the container is not built, and those of `openSource` and `writeSif`
 */
export async function convertImage(request: ConvertRequest): Promise<Conversion> {
  const started = performance.now();
  const { directory, emit, signal } = request;
  const { image, name } = await open(request);
  try {
    const format =
      request.format ?? (/\.(sqfs|squashfs|sqsh)$/.test(request.output ?? "") ? "squashfs" : "sif");
    const path = resolve(directory, request.output ?? `${name}.${format === "sif" ? "sif" : "sqfs"}`);
    const label = `${format}:${shownPath(path, directory)}`;
    const write = format === "sif" ? writeSif : writeSquashfs;
    emit({ type: "stage", stage: "read-layers" });
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
        ...(request.compression === undefined ? {} : { compression: request.compression }),
        ...(request.level === undefined ? {} : { level: request.level }),
        ...(request.signer === undefined ? {} : { signer: request.signer }),
      }),
    );
    return {
      ...summary,
      format,
      path,
      signedBy: request.signer?.fingerprint,
      milliseconds: performance.now() - started,
    };
  } finally {
    await image.close();
  }
}

/** Opens the source, and says what a file of it is called. */
async function open(request: ConvertRequest): Promise<{ readonly image: OpenImage; readonly name: string }> {
  const { source, directory } = request;
  const architecture = asArchitecture(request.arch) ?? hostArchitecture();
  const remote = /^(docker|oras):\/\/(.+)$/.exec(source);
  if (remote !== null) {
    const [, transport, name = ""] = remote;
    const reference = {
      transport: transport === "oras" ? "oras" : "docker",
      name,
      architecture,
      emit: request.emit,
      signal: request.signal,
    } as const;
    const openRemote =
      request.open ?? referenceOpener((await openRepository(directory)).configuration.registries);
    return { image: await openRemote(reference), name: fileName(name) };
  }
  const parsed = parseSource(source, directory);
  if (parsed !== undefined)
    return { image: await openSource(parsed, architecture), name: fileName(parsed.path) };
  const layout = await builtLayout({ directory, image: source, arch: request.arch });
  return { image: await openSource({ kind: "oci", path: layout }, architecture), name: fileName(layout) };
}

/** The last part of a path or name, without what archives end in and without tag and digest. */
function fileName(path: string): string {
  return (
    basename(path)
      .replace(/(?:\.oci|\.docker)?\.(?:tar|tgz|tar\.gz|tar\.zst)$/, "")
      .replace(/[:@].*$/, "") || "image"
  );
}
