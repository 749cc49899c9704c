/** What the log of a package's build says: the phase it is in, and the first errors. */
import { open } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * The phase that a line of Spack's begins: `fetch`, those of the recipe (`configure`, `build`, …), `push`; undefined for lines
 * that begin none.
 *
 * @param name of the package
 */
export function phaseOf(line: string, name: string): string | undefined {
  if (!line.startsWith("==> ")) return undefined;
  const executing = /^==> ([\w-]+): Executing phase: '([\w-]+)'/.exec(line);
  if (executing !== null) return executing[1] === name ? executing[2] : undefined;
  // First it is fetched.
  if (line.startsWith(`==> Installing ${name}-`)) return "fetch";
  if (/^==> (?:Fetching|Using cached archive:|Cloning) /.test(line)) return "fetch";
  if (/^==> (?:Extracting|Installing \S+ from binary cache)/.test(line)) return "extract";
  if (/^==> (?:Pushing|Pushed|Selected) /.test(line)) return "push";
  return undefined;
}

/** An error in a log, with the lines around it. */
export interface LogExcerpt {
  /** From 1. */
  readonly line: number;
  /** The line with the error. */
  readonly text: string;
  /** Lines before, the line itself, and lines behind. */
  readonly context: readonly string[];
}

/** What compilers, linkers, CMake, configure, make, Python, Cargo and Spack say when something is wrong, the plainest first. */
const errorPatterns: readonly RegExp[] = [
  /^(?!==> )(?:.*[\s:(])?(?:fatal |internal compiler )?error(?:\[\w+\])?: (?!0 )/i,
  /(?:^|\s)(?:undefined reference to|cannot find -l|multiple definition of|relocation truncated to fit)/,
  /^CMake Error(?: at | in |:|$)/,
  /(?:^|\/)configure: line \d+: .*not found/,
  /: (?:command not found|No such file or directory|Permission denied|No space left on device|not found)$/,
  /^(?:\w+\.)*(?:\w*Error|\w*Exception): /,
  /\bKilled\b|Segmentation fault|Bus error|Illegal instruction|out of memory/i,
  /^FAILED: /,
  /^(?:g?make|ninja)(?:\[\d+\])?: \*\*\* /,
  /^\S*patch: \*\*\*\* |hunks? FAILED/i,
  /^==> Error: /,
];

/** Lines that look like errors and are none. */
const harmless: readonly RegExp[] = [
  /^checking /,
  /-W(?:no-)?error\b(?!.*\berror: )/,
  /\b0 errors?\b/i,
  /\bignoring\b.*\berror/i,
];

/**
 * The first errors of a log: the compiler's rather than what follows from them.
 *
 * @param text the log
 * @param most excerpts
 * @param around lines before an error; twice as many behind it
 */
export function firstErrors(text: string, most = 2, around = 3): readonly LogExcerpt[] {
  const lines = text.split(/\r\n|\r(?!\n)|\n/);
  const isError = (line: string, pattern: RegExp): boolean =>
    line.length < 4000 && pattern.test(line) && !harmless.some((other) => other.test(line));
  // The plainest kind that the log has, first: what `make` says of it afterwards tells nothing.
  const order = errorPatterns.map((pattern) =>
    lines.flatMap((line, index) => (isError(line, pattern) ? [index] : [])),
  );
  const excerpts: LogExcerpt[] = [];
  let shown = -1;
  const firstKind = order.find((indexes) => indexes.length > 0) ?? [];
  for (const index of firstKind) {
    if (excerpts.length >= most) break;
    if (index <= shown) continue;
    const from = Math.max(shown + 1, index - around);
    const to = Math.min(lines.length, index + 2 * around + 1);
    excerpts.push({
      line: index + 1,
      text: lines[index]?.trim() ?? "",
      context: lines.slice(from, to).map((line) => line.slice(0, 400)),
    });
    shown = to - 1;
  }
  return excerpts;
}

/** The last lines of a log that say something. */
export function lastLines(text: string, count: number): readonly string[] {
  return text
    .trimEnd()
    .split("\n")
    .slice(-count)
    .map((line) => line.slice(0, 400));
}

/** A log that is followed while it grows. */
export interface FollowedLog {
  /** Reads what is there by now, and no further. */
  stop(): Promise<void>;
}

/** How often a log is read, in milliseconds. */
const interval = 300;
/** Longest line that is kept; the rest of it is left out. */
const longestLine = 8192;

/**
 * Calls back with every line that is added to a file, whoever writes it, wherever: on this machine, in a container, on a node of
 * a cluster that shares the folder. A file that is not there yet is waited for.
 */
export function followLog(path: string, onLine: (line: string) => void): FollowedLog {
  const stopping = new AbortController();
  const decoder = new StringDecoder("utf8");
  let position = 0;
  let rest = "";
  const buffer = Buffer.alloc(64 * 1024);

  const readNew = async (): Promise<void> => {
    const file = await open(path, "r").catch(() => undefined);
    if (file === undefined) return;
    try {
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) return;
        position += bytesRead;
        const parts = (rest + decoder.write(buffer.subarray(0, bytesRead))).split("\n");
        rest = (parts.pop() ?? "").slice(0, longestLine);
        for (const line of parts) onLine(line);
      }
    } finally {
      await file.close();
    }
  };
  const reading = (async () => {
    while (!stopping.signal.aborted) {
      await readNew();
      await sleep(interval, undefined, { signal: stopping.signal }).catch(() => {});
    }
    await readNew();
    if (rest !== "") onLine(rest);
  })();
  reading.catch(() => {});
  return {
    stop: async () => {
      stopping.abort();
      await reading;
    },
  };
}
