/** The programs that write squashfs: which is here, what it can do, and running it on a stream. */
import { spawn } from "node:child_process";
import { stat, statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { dirname } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { findProgram, lastLine, runTool } from "../util/tool.ts";

/** How the file system is compressed. */
export type SquashfsCompression = "zstd" | "gzip";

/** A program that makes a squashfs of a tar stream. */
export interface SquashfsTool {
  readonly name: "mksquashfs" | "tar2sqfs";
  readonly program: string;
  /** `name version`, as it says itself. */
  readonly version: string;
  readonly compressions: readonly SquashfsCompression[];
}

/** How to write a squashfs. */
export interface SquashfsOptions {
  readonly compression: SquashfsCompression;
  /** Of the compressor: 1 to 22 for zstd, 1 to 9 for gzip. */
  readonly level: number;
  /** Time of the file system and of its root directory, in seconds since 1970; nothing in it may be newer. */
  readonly time: number;
  readonly signal?: AbortSignal | undefined;
}

/** Levels when nothing is asked for: zstd 3 is as small as gzip's and several times faster; gzip 6 is within 1 % of 9. */
export const defaultLevels: Readonly<Record<SquashfsCompression, number>> = { zstd: 3, gzip: 6 };
/** Highest levels. */
export const highestLevels: Readonly<Record<SquashfsCompression, number>> = { zstd: 22, gzip: 9 };

/** mksquashfs otherwise takes a quarter of the machine's memory. */
const mostMemory = 2 ** 30;

/**
 * Finds a program that makes squashfs of a tar stream: `mksquashfs` of squashfs-tools 4.5 or later, else `tar2sqfs` of
 * squashfs-tools-ng.
 *
 * @throws {SpacktainersError} `RUNTIME_MISSING`
 */
export async function findSquashfsTool(): Promise<SquashfsTool> {
  const found = (await findMksquashfs()) ?? (await findTar2sqfs());
  if (found !== undefined) return found;
  const old = await findProgram("mksquashfs");
  throw new SpacktainersError(
    "RUNTIME_MISSING",
    old === undefined
      ? "no program that writes squashfs is installed here"
      : `${old} is too old to read a tar stream`,
    { hint: "install squashfs-tools (4.5 or later) or squashfs-tools-ng" },
  );
}

async function findMksquashfs(): Promise<SquashfsTool | undefined> {
  const program = await findProgram("mksquashfs");
  if (program === undefined) return undefined;
  const [version, help] = await Promise.all([runTool([program, "-version"]), helpOf(program, "-help")]);
  const [, major = "0", minor = "0"] = /version (\d{1,4})\.(\d{1,4})/.exec(version.stdout) ?? [];
  if (Number(major) < 4 || (Number(major) === 4 && Number(minor) < 5)) return undefined;
  return {
    name: "mksquashfs",
    program,
    version: `mksquashfs ${major}.${minor}`,
    compressions: compressionsIn(help),
  };
}

async function findTar2sqfs(): Promise<SquashfsTool | undefined> {
  const program = await findProgram("tar2sqfs");
  if (program === undefined) return undefined;
  const [version, help] = await Promise.all([runTool([program, "--version"]), helpOf(program, "--help")]);
  const [, number = "?"] = /(\d{1,4}\.\d{1,4}(?:\.\d{1,4})?)/.exec(version.stdout) ?? [];
  return { name: "tar2sqfs", program, version: `tar2sqfs ${number}`, compressions: compressionsIn(help) };
}

/** Some versions print their help as an error. */
async function helpOf(program: string, option: string): Promise<string> {
  const { stdout, stderr } = await runTool([program, option]);
  return stdout + stderr;
}

function compressionsIn(help: string): readonly SquashfsCompression[] {
  return (["zstd", "gzip"] as const).filter((name) => new RegExp(`^[ \\t]+${name}\\b`, "m").test(help));
}

/**
 * Chooses the compression.
 *
 * @param asked what the user wants; otherwise zstd where the tool has it
 * @throws {SpacktainersError} `NOT_SUPPORTED` when the tool does not have what is asked for
 */
export function chooseCompression(
  tool: SquashfsTool,
  asked: SquashfsCompression | undefined,
): SquashfsCompression {
  const chosen = asked ?? tool.compressions[0];
  if (chosen !== undefined && tool.compressions.includes(chosen)) return chosen;
  throw new SpacktainersError(
    "NOT_SUPPORTED",
    `${tool.program} cannot compress with ${asked ?? "zstd or gzip"}`,
    {
      hint: `it supports ${tool.compressions.join(" and ") || "neither zstd nor gzip"}`,
    },
  );
}

/**
 * Makes a squashfs of a tar stream. `mksquashfs` leaves `offset` bytes of zeros before it; `tar2sqfs` cannot, and the file
 * system then begins the file.
 *
 * @param path of the new file; must not exist
 * @param tar the uncompressed archive; when reading it fails, that is the error thrown
 * @returns where in the file the file system begins
 * @throws {SpacktainersError} `PROCESS_FAILED`, `DISK_FULL`, `INTERRUPTED`; whatever `tar` throws
 */
export async function runSquashfsTool(
  tool: SquashfsTool,
  { path, offset }: { readonly path: string; readonly offset: number },
  tar: AsyncIterable<Uint8Array>,
  options: SquashfsOptions,
): Promise<number> {
  const { signal, time } = options;
  signal?.throwIfAborted();
  const child = spawn(tool.program, argumentsOf(tool, path, offset, options), {
    stdio: ["pipe", "ignore", "pipe"],
    env: { ...hostEnvironment(), SOURCE_DATE_EPOCH: String(time), LC_ALL: "C" },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-8192);
  });
  const ended = new Promise<{ readonly status: number; readonly error?: Error }>((resolve) => {
    child.once("error", (error) => resolve({ status: -1, error }));
    child.once("close", (code) => resolve({ status: code ?? -1 }));
  });
  const kill = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", kill, { once: true });
  let failure: { readonly error: unknown } | undefined;
  let left = false;
  child.stdin.on("error", () => {
    left = true;
  });
  try {
    for await (const chunk of tar) {
      if (left || child.exitCode !== null) break;
      if (!child.stdin.write(chunk)) await drained(child.stdin);
    }
    child.stdin.end();
  } catch (error) {
    failure = { error };
    kill();
  }
  const { status, error } = await ended;
  signal?.removeEventListener("abort", kill);
  signal?.throwIfAborted();
  if (failure !== undefined) throw failure.error;
  if (status !== 0) throw await toolFailure(tool, path, error?.message ?? said);
  await stat(path);
  return tool.name === "mksquashfs" ? offset : 0;
}

async function toolFailure(tool: SquashfsTool, path: string, said: string): Promise<SpacktainersError> {
  const disk = await statfs(dirname(path)).catch(() => undefined);
  // tar2sqfs does not say why it could not write.
  const isFull = disk !== undefined && disk.bavail * disk.bsize < 2 ** 20;
  if (/No space left on device|Disk quota exceeded/i.test(said) || isFull)
    return new SpacktainersError("DISK_FULL", "the disk is full", {
      place: { file: path },
      hint: "free some space, or write to a larger disk",
    });
  const reason = /^(?:FATAL )?ERROR: ?(.*)$/im.exec(said)?.[1] ?? lastLine(said);
  return new SpacktainersError("PROCESS_FAILED", `${tool.name} failed: ${reason || "it was stopped"}`, {
    place: { file: path },
  });
}

function drained(stream: NodeJS.WritableStream & { readonly destroyed: boolean }): Promise<void> {
  if (stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      stream.removeListener("drain", done);
      stream.removeListener("close", done);
      stream.removeListener("error", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
    stream.once("error", done);
  });
}

function argumentsOf(
  tool: SquashfsTool,
  path: string,
  offset: number,
  { compression, level, time }: SquashfsOptions,
): readonly string[] {
  if (tool.name === "mksquashfs") {
    // Reading tar it packs the ends of all files together, and which of them it finds to be equal then depends on timing: the
    // same gigabyte gave other bytes in each run of 4.5.1. Without, as when it reads directories, the bytes are the same.
    const packing = "-no-tailends";
    const memory = totalmem() > 4 * mostMemory ? ["-mem", "1G"] : [];
    return [
      ...[
        "-",
        path,
        "-tar",
        "-noappend",
        "-no-progress",
        "-quiet",
        "-no-recovery",
        "-no-xattrs",
        "-all-root",
        packing,
      ],
      ...["-root-mode", "755", "-offset", String(offset), "-processors", String(availableParallelism())],
      ...["-comp", compression, "-Xcompression-level", String(level), ...memory],
    ];
  }
  return [
    ...["--quiet", "--force", "--no-xattr", "--num-jobs", String(availableParallelism())],
    ...["--defaults", `uid=0,gid=0,mode=0755,mtime=${time}`],
    ...["--compressor", compression, "--comp-extra", `level=${level}`, path],
  ];
}
