import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { hostArchitecture, selectContainers } from "../definitions/select.ts";
import { parseBind } from "../run/containerProcess.ts";
import { runImage } from "../run/runImage.ts";
import type { GpuKind, MpiMode, RuntimeName } from "../run/types.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { asArchitecture } from "./architecture.ts";
import { defaultOutput } from "./builtImage.ts";
import { openRepository } from "./workspace.ts";

/** A command line of `run`. */
export interface RunRequest {
  readonly directory: string;
  /** A container's name, or a layout's directory. */
  readonly image: string;
  readonly arch: string | undefined;
  readonly command: readonly string[];
  /** `source[:target[:ro]]`. */
  readonly binds: readonly string[];
  /** `NAME=value`, or `NAME` for the value it has here. */
  readonly env: readonly string[];
  readonly workdir: string | undefined;
  /** `none`: the command is not handed to the image's entrypoint. */
  readonly entrypoint: "image" | "none";
  readonly mpi: MpiMode;
  readonly gpu: GpuKind | undefined;
  readonly runtime: RuntimeName | "auto";
  readonly network: "host" | "none";
  readonly readOnly: boolean;
  readonly tty: boolean | undefined;
  readonly print: ((commandLine: string) => void) | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Runs a command in a built image.
 *
 * @returns the command's exit status; 128 and the number of the signal that ended it
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `NOT_FOUND` when the image is not built, `RUNTIME_MISSING`, `USAGE`
 */
export async function runContainer(request: RunRequest): Promise<number> {
  const image = await layoutOf(request);
  return runImage({
    image,
    command: request.command,
    binds: request.binds.map((text) => parseBind(text, request.directory)),
    env: parseEnvironment(request.env),
    entrypoint: request.entrypoint,
    mpi: request.mpi,
    runtime: request.runtime,
    network: request.network,
    readOnly: request.readOnly,
    emit: request.emit,
    signal: request.signal,
    ...(request.gpu === undefined ? {} : { gpu: request.gpu }),
    ...(request.workdir === undefined ? {} : { workdir: request.workdir }),
    ...(request.tty === undefined ? {} : { tty: request.tty }),
    ...(request.print === undefined ? {} : { print: request.print }),
  });
}

/**
 * The layout of an image: a directory that is one, or the output of a container of the repository.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `NOT_FOUND` when the image is not built
 */
export async function layoutOf({
  directory,
  image,
  arch,
}: Pick<RunRequest, "directory" | "image" | "arch">): Promise<string> {
  const path = resolve(directory, image);
  if (await isLayout(path)) return path;
  const repository = await openRepository(directory);
  const wanted = asArchitecture(arch);
  const [container] = await selectContainers(repository, {
    names: [image],
    cwd: directory,
    arch: wanted ?? hostArchitecture(),
  });
  if (container === undefined)
    throw new SpacktainersError("UNKNOWN_CONTAINER", `there is no container ${image}`);
  const output = defaultOutput(repository.configuration.output, container);
  if (!(await isLayout(output)))
    throw new SpacktainersError("NOT_FOUND", `${container.name} is not built yet`, {
      place: { file: output },
      hint: `spacktainers build ${container.name}`,
    });
  return output;
}

async function isLayout(path: string): Promise<boolean> {
  return stat(join(path, "oci-layout")).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

/**
 * Reads `NAME=value` and `NAME` (the value it has in our own environment; left out when it has none).
 *
 * @throws {SpacktainersError} `USAGE` for names that no shell can set
 */
export function parseEnvironment(
  words: readonly string[],
  own: NodeJS.ProcessEnv = process.env,
): Readonly<Record<string, string>> {
  const env: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      // The value may be a secret: only the name is shown.
      throw new SpacktainersError("USAGE", `--env: ${name.slice(0, 40)} cannot be the name of a variable`);
    const value = equals < 0 ? own[name] : word.slice(equals + 1);
    if (value !== undefined) env[name] = value;
  }
  return env;
}
