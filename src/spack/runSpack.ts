import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { temporaryPath } from "../util/atomicFile.ts";
import { stopIfAborted } from "../util/interruption.ts";
import { followLog } from "./buildLog.ts";
import { spackProcess } from "./container/spackProcess.ts";
import type { Spack } from "./spack.ts";
import type { SpackContext } from "./spackCommand.ts";
import { superviseTask } from "./supervise.ts";

/** How a command of Spack's ended. */
export interface SpackAnswer {
  readonly status: number;
  /** What it said, standard output and errors as they came. */
  readonly output: string;
  readonly seconds: number;
}

/** How to run a command of Spack's. */
export interface RunSpackOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with every line as it comes. */
  readonly onLine?: (line: string) => void;
}

/**
 * Runs a command of Spack's to its end. When the signal is aborted it is ended with everything it has started.
 *
 * @throws SpacktainersError INTERRUPTED; RUNTIME_MISSING without Python
 */
export async function runSpack(
  spack: Spack,
  context: SpackContext,
  args: readonly string[],
  { signal, onLine }: RunSpackOptions = {},
): Promise<SpackAnswer> {
  stopIfAborted(signal);
  const cwd = spack.folders.logs;
  await mkdir(cwd, { recursive: true });
  const { argv, env, cleanup } = spackProcess(spack, context, args, { cwd, oneStream: true });
  const log = temporaryPath(spack.folders.logs);
  const running = await superviseTask(spack.watcher, {
    steps: [{ name: args[0] ?? "spack", argv, cleanup }],
    log,
    env,
    cwd,
  });
  const follow = onLine === undefined ? undefined : followLog(log, onLine);
  signal?.addEventListener("abort", running.stop);
  try {
    if (signal?.aborted === true) running.stop();
    const { status, seconds } = await running.result;
    await follow?.stop();
    stopIfAborted(signal);
    const output = await readFile(log, "utf8").catch(() => "");
    return { status, output, seconds };
  } finally {
    signal?.removeEventListener("abort", running.stop);
    await rm(log, { force: true });
  }
}

/** A folder for what a command needs for a moment, below the Spack's own. */
export function passingFolder(spack: Spack): string {
  return join(spack.folders.environments, "passing");
}
