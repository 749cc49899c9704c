/** Running and timing commands, and printing what came of it. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** GNU time tells CPU and memory of a command and all its children; without it, only the clock is read. */
const gnuTime = ["/usr/bin/time", "/bin/time"].find((path) => existsSync(path));

/**
 * @typedef {object} Figures
 * @property {number} wall seconds
 * @property {number | undefined} cpu seconds, user and system, of the command and its children
 * @property {number | undefined} memory MB, the largest resident set of any one process
 * @property {string} stdout
 */

/**
 * Runs a command to its end and times it.
 *
 * @param {readonly string[]} command
 * @param {{ env?: Record<string, string>, cwd?: string, allowFailure?: boolean }} options
 * @returns {Promise<Figures>}
 * @throws {Error} with the end of what it wrote, when it fails
 */
export async function timed(command, { env = {}, cwd, allowFailure = false } = {}) {
  const work = mkdtempSync(join(tmpdir(), "spacktainers-time-"));
  const figures = join(work, "figures");
  const [program, ...args] =
    gnuTime === undefined ? command : [gnuTime, "-f", "%U %S %M", "-o", figures, ...command];
  try {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const begin = performance.now();
    let stdout = "";
    let said = "";
    child.stdout.on("data", (bytes) => {
      stdout = `${stdout}${bytes}`.slice(-1_000_000);
    });
    child.stderr.on("data", (bytes) => {
      said = `${said}${bytes}`.slice(-4000);
    });
    const status = await new Promise((done, fail) => {
      child.on("error", fail);
      child.on("close", done);
    });
    const wall = (performance.now() - begin) / 1000;
    if (status !== 0 && !allowFailure)
      throw new Error(
        `${command.slice(0, 4).join(" ")} … failed (${status}):\n${stdout.slice(-1000)}${said}`,
      );
    if (gnuTime === undefined) return { wall, cpu: undefined, memory: undefined, stdout };
    const [user, system, kilobytes] = readFileSync(figures, "utf8")
      .trim()
      .split("\n")
      .pop()
      .split(" ")
      .map(Number);
    return { wall, cpu: user + system, memory: kilobytes / 1024, stdout };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Adds up the figures of steps that ran one after the other. */
export function together(steps) {
  const sum = (values) =>
    values.includes(undefined) ? undefined : values.reduce((total, value) => total + value, 0);
  return {
    wall: sum(steps.map(({ wall }) => wall)),
    cpu: sum(steps.map(({ cpu }) => cpu)),
    memory: steps.some(({ memory }) => memory === undefined)
      ? undefined
      : Math.max(...steps.map(({ memory }) => memory)),
    stdout: "",
  };
}

/**
 * Measures alternatives in turn - A B A B - so that whatever else the machine does meets them alike.
 *
 * @param {readonly { name: string, bytes?: number, runs?: number, prepare?: () => unknown, run: () => Promise<Figures> }[]} alternatives
 *   `prepare` is not timed; `bytes` gives a rate
 * @param {number} runs of each; an alternative's own `runs` bounds it
 */
export async function alternate(alternatives, runs) {
  const results = alternatives.map((alternative) => ({ ...alternative, figures: [] }));
  for (let round = 0; round < runs; round++)
    for (const result of results) {
      if (round >= (result.runs ?? runs)) continue;
      await result.prepare?.();
      const figures = await result.run();
      result.figures.push(figures);
      process.stderr.write(`  … ${result.name}: ${seconds(figures.wall)} s\n`);
    }
  return results.map(({ name, bytes, figures }) => ({
    name,
    bytes,
    runs: figures.length,
    wall: spread(figures.map(({ wall }) => wall)),
    cpu: spread(figures.map(({ cpu }) => cpu)),
    memory: spread(figures.map(({ memory }) => memory)),
  }));
}

function spread(values) {
  if (values.includes(undefined) || values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted.at(-1) };
}

/** Prints results as a table; ratios are to the first row: how many times as long. */
export function printResults(title, results) {
  const first = results[0]?.wall?.median;
  const rows = results.map(({ name, bytes, runs, wall, cpu, memory }) => [
    name,
    String(runs),
    seconds(wall?.median),
    wall === undefined || runs < 2 ? "" : `${seconds(wall.min)}…${seconds(wall.max)}`,
    seconds(cpu?.median),
    memory === undefined ? "-" : memory.median.toFixed(0),
    bytes === undefined ? "" : (bytes / 1e6 / wall.median).toFixed(0),
    first === undefined ? "" : `${(wall.median / first).toFixed(2)} ×`,
  ]);
  console.log(`\n${title}`);
  printTable(["", "runs", "wall s", "min…max", "CPU s", "peak MB", "MB/s", "ratio"], rows);
}

/** Prints rows under a head, columns aligned: the first to the left, the others to the right. */
export function printTable(head, rows) {
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column].length)));
  for (const row of [head, ...rows]) {
    const cells = row.map((text, column) =>
      column === 0 ? text.padEnd(widths[column]) : text.padStart(widths[column]),
    );
    console.log(`  ${cells.join("  ")}`.trimEnd());
  }
}

function seconds(value) {
  if (value === undefined) return "-";
  return value < 10 ? value.toFixed(2) : value.toFixed(1);
}

/** Says that something is not measured, and why. */
export function skipped(what, why) {
  console.log(`skipped: ${what}: ${why}`);
}

/** Path of a program; undefined when it is not installed. */
export function programPath(name) {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}
