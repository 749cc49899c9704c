/**
 * A limit on the address space of processes (`ulimit -v`, RLIMIT_AS). V8 reserves far more of it than it uses: ten gigabytes for
 * each memory of WebAssembly, half a gigabyte for each thread.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { SpacktainersError } from "./errors.ts";
import { formatBytes } from "./formatBytes.ts";

/** What a process needs before it starts threads, and each thread with what it compresses with, in bytes; measured. */
const processBytes = 1.4 * 2 ** 30;
const threadBytes = 0.9 * 2 ** 30;

/** V8 option that gives a WebAssembly memory no guard regions. */
export const withoutGuards = "--disable-wasm-trap-handler";

/** Address space of a memory of WebAssembly in bytes: with its guard regions, and without, where it may be no larger than we need. */
const guardedMemory = 10.5 * 2 ** 30;
const plainMemory = 0.2 * 2 ** 30;

let limit: { readonly bytes: number | undefined } | undefined;

/** Bytes of address space that this process may have; undefined where nothing limits it. */
export function addressSpaceLimit(): number | undefined {
  limit ??= { bytes: parseLimit(ownLimits()) };
  return limit.bytes;
}

/** Reads the table that `/proc/self/limits` is. @returns the soft limit of the address space in bytes, undefined for none */
export function parseLimit(table: string): number | undefined {
  const soft = /^Max address space +(\d+) /m.exec(table)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

function ownLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "latin1");
  } catch {
    return "";
  }
}

/** In `/proc/self/statm`; where pages are larger, too little is counted. */
const pageBytes = 4096;

/** With less, threads cannot be started: V8 would end the process. */
const leastBytes = 3e9;

/**
 * Refuses to start threads where there is no room for them.
 * @throws SpacktainersError OUT_OF_MEMORY
 */
export function expectAddressSpace(bytes: number | undefined = addressSpaceLimit()): void {
  if (bytes !== undefined && bytes < leastBytes) throw addressSpaceExhausted(bytes);
}

/**
 * Refuses to start WebAssembly where there is no room for it: not every library that is made of it says so.
 * @throws SpacktainersError OUT_OF_MEMORY
 */
export function expectRoomForWebAssembly(): void {
  const bytes = addressSpaceLimit();
  if (bytes === undefined) return;
  const used = Number(readFileSync("/proc/self/statm", "latin1").split(" ")[0]) * pageBytes;
  const needed = process.execArgv.includes(withoutGuards) ? plainMemory : guardedMemory;
  if (bytes - used < needed) throw addressSpaceExhausted(bytes);
}

/**
 * Whether the address space is too small for what the program may start where every memory of WebAssembly has guard regions: for each
 * thread one to compress with, and those that read.
 */
export function isCramped(bytes: number, threads: number = usableThreads()): boolean {
  return bytes < guardedMemory * 4 * (2 * threads + 1);
}

/** What a limit on the address space made fail. */
export function addressSpaceExhausted(bytes: number): SpacktainersError {
  return new SpacktainersError(
    "OUT_OF_MEMORY",
    `the address space of processes is limited to ${formatBytes(bytes)} (ulimit -v), which is not enough`,
    { hint: "ulimit -v unlimited; or, where that is not allowed, at least 4 GB: ulimit -v 4000000" },
  );
}

/**
 * How many threads to use at a time: one a core, or as many as there is address space for, but one at least. Each may have another one
 * help it.
 */
export function usableThreads(
  bytes: number | undefined = addressSpaceLimit(),
  cores: number = availableParallelism(),
): number {
  if (bytes === undefined) return cores;
  return Math.min(cores, Math.max(1, Math.floor((bytes - processBytes) / (2 * threadBytes))));
}
