import { Worker } from "node:worker_threads";
import { expectAddressSpace } from "../util/addressSpace.ts";
import { packageFile } from "../util/packageFile.ts";
import type { CompressionSettings } from "./layerCompression.ts";

/** Threads that compress blocks. */
export interface CompressionThreads {
  /** Compresses a block, whose memory is handed over: it must not be used again. */
  compress(block: Buffer<ArrayBuffer>): Promise<Uint8Array>;
  /** Stops the threads, whatever they do. */
  close(): Promise<void>;
}

/** Threads run plain JavaScript: from the sources (in tests), too, the worker is the built one. */
const workerPath = "dist/archive/compressionWorker.js";

interface Waiting {
  resolve(packed: Uint8Array): void;
  reject(error: unknown): void;
}

/**
 * Starts threads.
 *
 * @param count how many; it does not change a byte
 * @throws SpacktainersError OUT_OF_MEMORY where the address space is too small
 */
export function openCompressionThreads(settings: CompressionSettings, count: number): CompressionThreads {
  expectAddressSpace();
  const threads = Array.from({ length: count }, () => openThread(settings));
  return {
    compress(block) {
      const least = threads.reduce((best, one) => (one.waiting.length < best.waiting.length ? one : best));
      return least.compress(block);
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

function openThread(settings: CompressionSettings) {
  const worker = new Worker(packageFile(workerPath), { workerData: settings });
  const waiting: Waiting[] = [];
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    for (const one of waiting.splice(0)) one.reject(failure);
  };
  worker.on("message", (packed: Uint8Array) => waiting.shift()?.resolve(packed));
  worker.on("error", fail);
  worker.on("exit", () => fail(new Error("a thread that compresses has ended")));
  return {
    waiting,
    compress(block: Buffer<ArrayBuffer>): Promise<Uint8Array> {
      if (failure !== undefined) return Promise.reject(failure);
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        worker.postMessage(block, [block.buffer]);
      });
    },
    async close(): Promise<void> {
      await worker.terminate();
    },
  };
}
