import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { hostPath } from "./hostPath.ts";
import { hostEnvironment } from "./surroundings.ts";

/** How a tool ended and what it said. */
export interface ToolResult {
  /** Exit status; -1 when it could not be started or a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a tool. */
export interface ToolOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Fed to its standard input, which is empty otherwise. */
  readonly input?: AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which it is stopped. */
  readonly timeout?: number;
}

/** Most that is kept of what a tool says, in characters. */
const mostOutput = 2 ** 20;

/** Runs a tool to its end, without a terminal, and collects what it says. Does not throw. */
export async function runTool(
  argv: readonly [string, ...string[]],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const [program, ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      env: options.env ?? hostEnvironment(),
      cwd: options.cwd,
      signal: options.signal,
    });
    // Node's own limit goes on, and keeps the process, where the program could not be started.
    const limit =
      options.timeout === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.timeout);
    const end = (result: ToolResult): void => {
      clearTimeout(limit);
      resolve(result);
    };
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (stdout.length < mostOutput) stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-mostOutput);
    });
    if (options.input !== undefined && child.stdin !== null)
      // A tool that ends early says why by itself.
      pipeline(options.input, child.stdin).catch((error: Error) => {
        stderr += `${error.message}\n`;
        child.stdin?.destroy();
      });
    child.once("error", (error) => end({ status: -1, stdout, stderr: stderr + error.message }));
    child.once("close", (code) => end({ status: code ?? -1, stdout, stderr }));
  });
}

/**
 * Path of a program that is on the search path, or undefined.
 * @param path folders to look in; default the user's and those of the system
 */
export async function findProgram(name: string, path = hostPath()): Promise<string | undefined> {
  for (const folder of path.split(":")) {
    if (!folder.startsWith("/")) continue;
    const program = join(folder, name);
    const found = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return program;
  }
  return undefined;
}

/** The last line with something on it, as the reason why a tool failed. */
export function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)?.trim().slice(0, 500) ?? "";
}
