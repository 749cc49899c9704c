import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readLock } from "../environment/lock.ts";
import type { Lock } from "../environment/types.ts";
import { SpacktainersErrors } from "../util/errors.ts";
import { concretizeErrors } from "./concretizeErrors.ts";
import { requiresTarget } from "./environmentText.ts";
import { runSpack } from "./runSpack.ts";
import type { Spack } from "./spack.ts";
import { inPassingEnvironment, type WorkEnvironment } from "./workEnvironment.ts";

/** How to concretize. */
export interface ConcretizeOptions {
  /** Choose as if there were no packages yet: the newest of everything. */
  readonly fresh: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What Spack chose. */
export interface Concretized {
  /** `spack.lock` as Spack wrote it. */
  readonly lockText: string;
  readonly lock: Lock;
  readonly seconds: number;
}

/**
 * Lets Spack choose the packages of an environment, from scratch; of what is in its lock, roots that are still asked for keep
 * their configuration.
 *
 * @param lockFile what the lock is called in messages
 * @throws SpacktainersErrors NO_SOLUTION, with the places of the specs that Spack names; PROCESS_FAILED, INTERRUPTED
 */
export async function concretize(
  spack: Spack,
  work: WorkEnvironment,
  lockFile: string,
  { fresh, signal }: ConcretizeOptions,
): Promise<Concretized> {
  return inPassingEnvironment(spack, work, async (folder) => {
    const args = ["concretize", ...(fresh ? ["--fresh"] : [])];
    const answer = await runSpack(spack, { environment: folder }, args, { signal });
    const lockText = await readFile(join(folder, "spack.lock"), "utf8").catch(() => undefined);
    if (answer.status !== 0 || lockText === undefined)
      throw new SpacktainersErrors(
        concretizeErrors(
          answer.output,
          work.environment,
          requiresTarget(work.environment.all.require) ? undefined : work.target,
        ),
      );
    return { lockText, lock: readLock(lockText, lockFile), seconds: answer.seconds };
  });
}
