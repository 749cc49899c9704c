/** What every failure and every result on the command line must look like. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { CommandResult } from "./cli.ts";

/** The digest in the JSON result of a build. */
export function digestOfBuild(result: CommandResult): string {
  const last = jsonLines(result).at(-1);
  expect(last, result.stdout + result.stderr).toMatchObject({ type: "result" });
  expect(result.status).toBe(0);
  return String(last?.digest);
}

/** Every line of `--json` output; fails when one does not parse. */
export function jsonLines({ stdout }: Pick<CommandResult, "stdout">): readonly Record<string, unknown>[] {
  expect(stdout.endsWith("\n")).toBe(true);
  return stdout
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** What an error must say. */
export interface Refusal {
  readonly code: string;
  readonly status: number;
  /** How many errors of the code are told, in one run; default one. */
  readonly count?: number;
  /** In the line: the place and what is wrong. */
  readonly says?: RegExp | string;
  /** In the hint; `null` when there is none. */
  readonly hint?: RegExp | string | null;
  /** Warnings that may come with it. */
  readonly warnings?: readonly RegExp[];
}

/**
 * Checks that a command run with `--quiet` said one error, with code, place and hint, and nothing else, and ended with the
 * right status.
 */
export function expectRefusal(result: CommandResult, refusal: Refusal): void {
  const { code, status, count = 1, says = "", hint = "", warnings = [] } = refusal;
  expect(result.stdout).toBe("");
  const all = result.stderr.replace(/\n$/, "").split("\n");
  const lines = all.filter((line) => !warnings.some((warning) => warning.test(line)));
  const errors = lines.filter((line) => /(^|\s)error {2}[A-Z]/.test(line));
  expect(errors, result.stderr).toHaveLength(count);
  // A place stands in front.
  for (const error of errors) expect(error).toMatch(new RegExp(`^\\S.*  error  ${code}  \\S`));
  expect(errors[0]).toMatch(says);
  const rest = lines.filter((line) => !errors.includes(line));
  if (hint === null) expect(rest).toEqual([]);
  else {
    expect(rest, result.stderr).toHaveLength(count);
    expect(rest[0]).toMatch(/^ {2}hint: \S/);
    expect(rest[0]).toMatch(hint);
  }
  expect(result.status).toBe(status);
}

/** Everything unfinished below a directory: temporaries, unfinished downloads, locks. */
export function debrisIn(...directories: readonly string[]): readonly string[] {
  const found: string[] = [];
  const walk = (directory: string): void => {
    for (const item of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, item.name);
      if (/^\.tmp-|\.partial$|^\..*\.lock$/.test(item.name)) found.push(path);
      else if (item.isDirectory()) walk(path);
    }
  };
  for (const directory of directories) if (existsSync(directory)) walk(directory);
  return found;
}
