/** Packages installed in parallel, in worker threads. */
import { stat } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { MessageChannel } from "node:worker_threads";
import type { Piscina } from "piscina";
import type { CompressionSettings } from "../archive/layerCompression.ts";
import { packageTask } from "../spec/packageTask.ts";
import { expectAddressSpace, usableThreads } from "../util/addressSpace.ts";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, ignoreEvents, runTask } from "../util/events.ts";
import { packageFile } from "../util/packageFile.ts";
import type { InstallJob, InstallOutcome } from "./installWorker.ts";
import type { InstallRequest, LayerFragment } from "./types.ts";

/** One package to be installed into a file. */
export interface InstallTask {
  readonly request: InstallRequest;
  /** Fragment file to make. */
  readonly path: string;
  /** By default gzip at its usual level. */
  readonly compression?: CompressionSettings;
}

/** Options of {@link InstallPool.run}. */
export interface RunInstallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Receives the task's events: `install`, its id `install:<hash>`, bytes of the archive. */
  readonly emit?: EmitEvent;
}

/** Threads that install packages. */
export interface InstallPool {
  /** Says that a package will have to be installed. Threads then start while its archive is still on its way. */
  announce(): void;
  /**
   * Installs a package when a thread is free; of those that wait, the one with the largest archive goes first.
   * @throws SpacktainersError as {@link installFragment}; OUT_OF_MEMORY where the address space is too small; INTERRUPTED when `signal` is aborted or the pool is closed
   */
  run(task: InstallTask, options?: RunInstallOptions): Promise<LayerFragment>;
  /** Stops what runs, and the threads. */
  close(): Promise<void>;
}

interface Waiting {
  readonly task: InstallTask;
  readonly size: number;
  readonly signal: AbortSignal;
  readonly emit: EmitEvent;
  resolve(fragment: LayerFragment): void;
  reject(error: SpacktainersError): void;
}

/** Threads run plain JavaScript: from the sources (in tests), too, the worker is the built one. */
const workerPath = "dist/install/installWorker.js";

/** How long a thread without work is kept. */
const idleTimeout = 10_000;

/**
 * Opens a pool.
 *
 * @param options `threads`: number of packages at a time, by default one per core. It does not change a byte.
 */
export function openInstallPool(options: { readonly threads?: number | undefined } = {}): InstallPool {
  const threads = Math.max(1, options.threads ?? usableThreads());
  const closing = new AbortController();
  const waiting: Waiting[] = [];
  let running = 0;
  let runningBytes = 0;
  let announced = 0;
  let loading: Promise<unknown> | undefined;
  let Pool: typeof Piscina | undefined;
  let piscina: Piscina | undefined;
  /** Fails every job when a thread cannot be started: none would ever get it. */
  const broken = new AbortController();

  const openPool = (pool: typeof Piscina): Piscina => {
    letHeapsStartLarger();
    const opened = new pool({
      filename: packageFile(workerPath),
      minThreads: Math.min(threads, announced),
      maxThreads: threads,
      idleTimeout,
    });
    opened.on("error", (error: unknown) => broken.abort(noThread(error)));
    return opened;
  };

  const startNext = (): void => {
    while (Pool !== undefined && running < threads) {
      const next = waiting.shift();
      if (next === undefined) return;
      if (next.signal.aborted) {
        next.reject(interrupted());
        continue;
      }
      const others = waiting.reduce((sum, item) => sum + item.size, runningBytes);
      // A package that alone would keep one core busy longer than all others the rest of them gets help compressing.
      const alone = next.size * (threads - 1) > others;
      running++;
      runningBytes += next.size;
      piscina ??= openPool(Pool);
      runJob(piscina, next, alone ? threads - 1 : 0, broken.signal)
        .then(next.resolve, (error: unknown) => next.reject(asSpacktainersError(error)))
        .finally(() => {
          running--;
          runningBytes -= next.size;
          startNext();
        });
    }
  };

  return {
    announce() {
      announced++;
      // By the time the library is there, all are known that are to be installed. A failure is met by whoever installs.
      loading ??= import("piscina")
        .then((library) => {
          if (closing.signal.aborted || piscina !== undefined) return;
          expectAddressSpace();
          Pool ??= library.Piscina;
          piscina = openPool(Pool);
        })
        .catch(() => {});
    },
    async run(task, { signal, emit = ignoreEvents } = {}) {
      const both = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      const { size } = await stat(task.request.archivePath).catch((error: unknown) => {
        throw asSpacktainersError(error);
      });
      expectAddressSpace();
      // A build that finds everything finished loads no pool.
      Pool ??= (await import("piscina")).Piscina;
      return new Promise((resolve, reject) => {
        const item: Waiting = { task, size, signal: both, emit, resolve, reject };
        const at = waiting.findIndex((other) => other.size < size);
        waiting.splice(at < 0 ? waiting.length : at, 0, item);
        // All that are asked for in one turn are there before the first begins.
        setImmediate(startNext);
      });
    },
    async close() {
      closing.abort();
      await loading;
      for (const item of waiting.splice(0)) item.reject(interrupted());
      // A pool that cannot start threads would wait for them.
      await (broken.signal.aborted ? piscina?.destroy() : piscina?.close());
    },
  };
}

/**
 * A thread's heap begins so small that V8 collects garbage for every few megabytes of buffers that pass through: 50 times
 * in a build of 240 MB, for an eighth of its time. Threads that start from now on begin with 64 MB, of which they touch
 * what they need.
 */
function letHeapsStartLarger(): void {
  setFlagsFromString("--initial-heap-size=64");
}

async function runJob(
  piscina: Piscina,
  item: Waiting,
  concurrency: number,
  broken: AbortSignal,
): Promise<LayerFragment> {
  const { task, size, signal, emit } = item;
  const { request } = task;
  const announced = { ...packageTask("install", request), bytes: size };
  return runTask(emit, announced, async ({ progress }) => {
    const { port1, port2 } = new MessageChannel();
    port1.on("message", progress);
    const stop = (): void => port1.postMessage("stop");
    signal.addEventListener("abort", stop);
    const job: InstallJob = {
      request,
      path: task.path,
      options: { concurrency, compression: task.compression },
      port: port2,
    };
    try {
      const outcome: InstallOutcome = await piscina
        .run(job, { transferList: [port2], signal: broken })
        .catch((thrown: unknown) => {
          throw broken.aborted ? broken.reason : thrown;
        });
      if (!("failure" in outcome)) return outcome.fragment;
      const { code, message, place, hint } = outcome.failure;
      throw new SpacktainersError(code, message, { place, hint });
    } finally {
      signal.removeEventListener("abort", stop);
      port1.close();
    }
  });
}

/** The error for a thread that cannot be started. @param thrown what Node says, such as `Worker initialization failure: EMFILE` */
function noThread(thrown: unknown): SpacktainersError {
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  const code = /: (E[A-Z]+)$/.exec(said)?.[1];
  if (code !== undefined)
    return asSpacktainersError(Object.assign(new Error(said), { code, syscall: "spawn" }));
  return new SpacktainersError("IO", `no thread can be started: ${said}`, {
    hint: "--jobs 1 needs fewer threads; check the limits of the shell and of the job (ulimit -a)",
  });
}

function interrupted(): SpacktainersError {
  return new SpacktainersError("INTERRUPTED", "the installation was interrupted");
}
