import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import { temporaryPath } from "../../util/atomicFile.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { removeTree } from "../../util/removeTree.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import { findProgram, lastLine, runTool } from "../../util/tool.ts";

/** Something in a definition that cannot be done without Apptainer. */
export interface Obstacle {
  /** `%post`, `Bootstrap: debootstrap`, … */
  readonly what: string;
  readonly place: Place;
}

/** A SIF file that Apptainer made. */
export interface ApptainerImage {
  readonly path: string;
  /** Removes it. */
  remove(): Promise<void>;
}

/**
 * Has Apptainer (or Singularity) build a definition file; in the folder of the file, where its relative paths start. `%test`
 * is not run, as it is not for what we build ourselves: `spacktainers test` does that, on every runtime.
 *
 * @param obstacles why it is needed, at least one
 * @throws {SpacktainersError} `RUNTIME_MISSING` when there is none, `NOT_SUPPORTED` for another architecture, `PROCESS_FAILED`
 *   with the last thing it said, `INTERRUPTED`
 */
export async function apptainerBuild(
  definition: string,
  architecture: string,
  obstacles: readonly Obstacle[],
  { emit, signal }: { readonly emit: EmitEvent; readonly signal: AbortSignal },
): Promise<ApptainerImage> {
  const [first] = obstacles;
  const place = first?.place ?? { file: definition };
  const what = [...new Set(obstacles.map((one) => one.what))].join(", ");
  const program = (await findProgram("apptainer")) ?? (await findProgram("singularity"));
  if (program === undefined)
    throw new SpacktainersError("RUNTIME_MISSING", `${what} needs Apptainer, which is not installed here`, {
      place,
      hint: "install Apptainer, or remove this: everything else in a definition can be built without it",
    });
  if (architecture !== hostArchitecture())
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${what} runs programs for ${architecture}, and this machine is ${hostArchitecture()}`,
      { place, hint: `build it on a machine for ${architecture}` },
    );
  const folder = join(cacheHome(), "apptainer");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const scratch = temporaryPath(folder);
  await mkdir(scratch, { mode: 0o700 });
  const remove = (): Promise<void> => removeTree(scratch);
  const path = join(scratch, "image.sif");
  try {
    const label = `apptainer build, for ${what}`;
    await runTask(emit, { kind: "run", subject: definition, label, signal }, async () => {
      const { status, stderr } = await runTool([program, "build", "--notest", path, definition], {
        cwd: dirname(definition),
        signal,
        env: { ...hostEnvironment(), APPTAINER_TMPDIR: scratch, SINGULARITY_TMPDIR: scratch },
      });
      stopIfAborted(signal);
      if (status !== 0)
        throw new SpacktainersError("PROCESS_FAILED", `apptainer build failed: ${reasonIn(stderr)}`, {
          place,
          hint: `try it by itself: apptainer build image.sif ${definition}`,
        });
    });
    return { path, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The line that says why, without its level and colours. */
function reasonIn(said: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences
  const plain = said.replace(/\u001b\[[0-9;]*m/g, "");
  const fatal = /^FATAL:\s*(.*)$/m.exec(plain)?.[1];
  return (fatal ?? lastLine(plain)).slice(0, 500);
}
