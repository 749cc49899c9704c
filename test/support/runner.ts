import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunOptions } from "../../src/run/types.ts";
import { builtModules } from "./builtProject.ts";

const modules = ["run/runImage.js", "image/openLayout.js", "run/machinePlatform.js"].map((name) =>
  join(builtModules, name),
);

/** What a finished run left. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to start `runImage` in a process of its own, as a program would. */
export interface RunnerOptions extends Omit<RunOptions, "image" | "command" | "emit" | "signal" | "print"> {
  /** Directory of an OCI layout. */
  readonly image: string;
  readonly print?: boolean;
  /** As an ordinary user with this number (only when the tests run as root). */
  readonly uid?: number;
  readonly environment?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** A command that runs the command it is given. */
  readonly through?: readonly string[];
}

const program = `
const { runImage } = await import(process.argv[1]);
const { openLayout } = await import(process.argv[2]);
const { machinePlatform } = await import(process.argv[3]);
const { print, image: layout, ...options } = JSON.parse(process.argv[4]);
const emit = (event) => event.type === "warning" && process.stderr.write("warning: " + event.message + "\\n");
try {
  const image = await openLayout(layout, { platforms: [machinePlatform()], reference: undefined });
  process.exitCode = await runImage({ ...options, image, emit, ...(print ? { print: (line) => console.log(line) } : {}) });
} catch (error) {
  process.stderr.write([error.code, error.message, error.hint, error.place?.file].join(" | ") + "\\n");
  process.exitCode = 99;
}
`;

function commandOf(
  command: readonly string[],
  options: RunnerOptions,
): [string, string[], NodeJS.ProcessEnv] {
  const { uid, environment, input: _, through = [], ...rest } = options;
  const node = [
    ...through,
    process.execPath,
    "--input-type=module",
    "-e",
    program,
    ...modules,
    JSON.stringify({ ...rest, command }),
  ];
  const words =
    uid === undefined || process.getuid?.() !== 0
      ? node
      : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", ...node];
  return [words[0] ?? "", words.slice(1), { ...process.env, ...environment }];
}

/** Runs to the end. */
export function run(command: readonly string[], options: RunnerOptions): Ran {
  const [file, args, env] = commandOf(command, options);
  const result = spawnSync(file, args, {
    env,
    encoding: "utf8",
    input: options.input ?? "",
    timeout: 120_000,
    maxBuffer: 2 ** 26,
  });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** The command that {@link run} would start, as a line for a shell. */
export function runnerLine(command: readonly string[], options: RunnerOptions): string {
  const [file, args] = commandOf(command, options);
  return [file, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

/** A run under way. */
export interface Running {
  readonly child: ChildProcess;
  /** Waits until standard output has this text. */
  says(text: string): Promise<void>;
  readonly ended: Promise<Ran>;
}

/** Starts, and lets it run. */
export function startRun(command: readonly string[], options: RunnerOptions): Running {
  const [file, args, env] = commandOf(command, options);
  const child = spawn(file, args, { env, stdio: ["pipe", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  const waiting: { text: string; done: () => void }[] = [];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
    for (const { text, done } of waiting) if (stdout.includes(text)) done();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const ended = new Promise<Ran>((done) => {
    child.once("close", (status, signal) =>
      done({ status: status ?? (signal === null ? null : -1), stdout, stderr }),
    );
  });
  const says = async (text: string): Promise<void> => {
    if (stdout.includes(text)) return;
    const early = ended.then(() => {
      throw new Error(`it ended without saying ${text}: ${stdout}${stderr}`);
    });
    await Promise.race([new Promise<void>((done) => void waiting.push({ text, done })), early]);
  };
  return { child, says, ended };
}

/** A scratch folder that `uid` may use as well; removed by `dispose`. */
export function scratch(uid?: number): { readonly path: string; dispose(): void } {
  const path = mkdtempSync(join(tmpdir(), "spacktainers-run-"));
  if (uid !== undefined && process.getuid?.() === 0) chownSync(path, uid, uid);
  return {
    path,
    dispose() {
      // Folders nobody may write to are in every root.
      spawnSync("chmod", ["-R", "u+rwX", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** A folder below `parent` for `uid`. */
export function folder(parent: string, name: string, uid?: number): string {
  const path = join(parent, name);
  mkdirSync(path, { recursive: true });
  if (uid !== undefined && process.getuid?.() === 0) chownSync(path, uid, uid);
  return path;
}

/** Why the runner cannot be tested here, or undefined. */
export function runnerTrouble(): string | undefined {
  if (!modules.every((path) => existsSync(path))) return "the project is not built (npm run build)";
  const tried = spawnSync("unshare", ["-U", "-r", "-m", "-p", "-f", "true"]);
  return tried.status === 0 ? undefined : "this machine does not let users make namespaces";
}

/** Lines of this machine's table of mounts that have a directory in them; others come and go by tests that run at the same time. */
export function mountsOf(directory: string): string[] {
  const all = execFileSync("cat", ["/proc/self/mountinfo"], { encoding: "utf8" }).trim().split("\n");
  return all.filter((line) => line.includes(directory));
}
