import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { builtProject } from "./builtProject.ts";
import { outputFaults } from "./outputSchema.ts";
import { removeFolder } from "./removeFolder.ts";

const projectRoot = resolve(import.meta.dirname, "../..");
/** The built binary. */
export const binary = join(builtProject, "cli/main.js");

/** What a command line left. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder to work in, with a cache home of its own. */
export interface Workplace {
  readonly directory: string;
  readonly cacheHome: string;
  /** Runs `spacktainers` in the folder. What it prints with `--json` must be what its schema says. */
  run(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Starts `spacktainers` in the folder; the caller ends it. */
  start(args: readonly string[], options?: CommandOptions): ChildProcess;
  path(...parts: readonly string[]): string;
  remove(): void;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly cwd?: string;
  /** As an ordinary user with this number, where the tests run as root. */
  readonly uid?: number;
}

/**
 * Makes a workplace.
 *
 * @param configuration text of its `spacktainers.yaml`; none when left out
 * @param cacheHome a cache home to share with other workplaces
 */
export function makeWorkplace(configuration?: string, cacheHome?: string): Workplace {
  const directory = mkdtempSync(join(tmpdir(), "spacktainers-test-"));
  const cache = cacheHome ?? join(directory, "cache-home");
  if (configuration !== undefined) writeFileSync(join(directory, "spacktainers.yaml"), configuration);
  const start = (
    args: readonly string[],
    { env = {}, cwd = directory, uid }: CommandOptions = {},
  ): ChildProcess =>
    spawn(process.execPath, [binary, ...args], {
      cwd,
      ...(uid === undefined || process.getuid?.() !== 0 ? {} : { uid, gid: uid }),
      env: { ...process.env, XDG_CACHE_HOME: cache, NO_COLOR: "1", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
  return {
    directory,
    cacheHome: cache,
    start,
    async run(args, options = {}) {
      const child = start(args, options);
      child.stdin?.end(options.input ?? "");
      const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
      const status = await new Promise<number | null>((done, fail) => {
        child.on("error", fail);
        child.on("close", done);
      });
      const result = { status, stdout: await stdout, stderr: await stderr };
      const faults = outputFaults(args, result.stdout);
      if (faults.length > 0) throw new Error(`spacktainers ${args.join(" ")} printed\n${faults.join("\n")}`);
      return result;
    },
    path: (...parts) => join(directory, ...parts),
    remove: () => removeFolder(directory),
  };
}

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  const chunks: Buffer[] = [];
  if (stream !== null) for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** The project's own root: the demo's repository. */
export const demoRepository = projectRoot;

/** Why an image cannot be based on Debian packages here, or undefined: the tests then use a base without any. */
export function debianTrouble(): string | undefined {
  return existsSync("/etc/apt") ? undefined : "this machine has no apt sources";
}

/** Another machine with the files of a workplace: nothing is cached there. */
export function emptyMachine(work: Pick<Workplace, "path">): { readonly env: NodeJS.ProcessEnv } {
  const home = work.path(`home-${randomBytes(6).toString("hex")}`);
  mkdirSync(home);
  return { env: { XDG_CACHE_HOME: home } };
}
