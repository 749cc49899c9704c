import { lonelyRanks, type StepPmi, stepPmi } from "../../hpc/lonelyRanks.ts";
import { readImageProfile } from "../../hpc/readImageProfile.ts";
import type { Image } from "../../image/image.ts";
import { withImage } from "../../pipeline/images/openSubject.ts";
import { tidyKept } from "../../pipeline/workspace/keptParts.ts";
import { openRepository } from "../../pipeline/workspace/workspace.ts";
import { parseBind } from "../../run/containerProcess.ts";
import { runImage } from "../../run/runImage.ts";
import type { GpuKind, MpiMode, RunOptions, RuntimeName } from "../../run/types.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { hostEnvironment } from "../../util/surroundings.ts";

/** A command line of `run`. */
export interface RunRequest {
  readonly directory: string;
  /** In any form that `findImage` knows. */
  readonly image: string;
  readonly arch: string | undefined;
  readonly command: readonly string[];
  /** `source[:target[:ro]]`. */
  readonly binds: readonly string[];
  /** `NAME=value`, or `NAME` for the value it has here. */
  readonly env: readonly string[];
  readonly workdir: string | undefined;
  /** Default `image`; see `RunOptions.entrypoint`. */
  readonly entrypoint?: RunOptions["entrypoint"];
  /** Default `auto`. */
  readonly mpi?: MpiMode;
  readonly gpu?: GpuKind | undefined;
  readonly runtime: RuntimeName | "auto";
  readonly network: "host" | "none";
  readonly readOnly: boolean;
  /** Root in the container; default: the user who runs us. */
  readonly fakeroot?: boolean;
  readonly tty: boolean | undefined;
  readonly print: ((commandLine: string) => void) | undefined;
  /** Called before the program takes the place of this process. */
  readonly leave?: () => void;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Runs a command in an image.
 *
 * @returns the command's exit status; 128 and the number of the signal that ended it
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `NOT_FOUND` when the image is nowhere, `RUNTIME_MISSING`, `USAGE`; of opening it
 */
export async function runContainer(request: RunRequest): Promise<number> {
  const { directory, arch, emit, signal } = request;
  const binds = request.binds.map((text) => parseBind(text, directory));
  const env = parseEnvironment(request.env);
  const repository = await openRepository(directory);
  const question = { directory, arch, preferHost: true, emit, signal };
  if (request.print === undefined) await tidyKept(cacheHome());
  return withImage(request.image, repository, question, async ({ image }) => {
    const step = request.print === undefined ? stepPmi(request.mpi ?? "auto") : undefined;
    if (step !== undefined) await warnOfLonelyRanks(step, image, request);
    return runImage({
      image,
      command: request.command,
      binds,
      env,
      entrypoint: request.entrypoint ?? "image",
      mpi: request.mpi ?? "auto",
      runtime: request.runtime,
      network: request.network,
      readOnly: request.readOnly,
      fakeroot: request.fakeroot === true,
      emit,
      signal,
      gpu: request.gpu,
      workdir: request.workdir,
      tty: request.tty,
      print: request.print,
      leave: request.leave,
    });
  });
}

async function warnOfLonelyRanks(step: StepPmi, image: Image, { emit, signal }: RunRequest): Promise<void> {
  try {
    const context = { cache: cacheHome(), emit, signal };
    const warning = await lonelyRanks(step, image, () => readImageProfile(image, context));
    if (warning !== undefined) emit(warning);
  } catch {
    // What cannot be read is said by whoever needs it to run the image.
    stopIfAborted(signal);
  }
}

/**
 * Reads `NAME=value` and `NAME` (the value it has in our own environment; left out when it has none).
 *
 * @throws {SpacktainersError} `USAGE` for names that no shell can set
 */
export function parseEnvironment(
  words: readonly string[],
  own: NodeJS.ProcessEnv = hostEnvironment(),
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
