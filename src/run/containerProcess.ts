import { realpath } from "node:fs/promises";
import { posix, resolve } from "node:path";
import type { ImageConfig } from "../archive/oci/types.ts";
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { expectProgram } from "./expectProgram.ts";
import { fakeRoot, ownIdentity } from "./identity.ts";
import { chosenLaunch, detectLaunch, type Launch } from "./launcher.ts";
import type { Bind, ContainerProcess, OwnScript, RunOptions } from "./types.ts";

/** Search path of an image that does not set one; the same as other runtimes use. */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What decides how a container is started. */
export interface ProcessOptions extends Omit<RunOptions, "image"> {
  /** See `Image.hasOwnScripts`. */
  readonly hasOwnScripts?: boolean;
}

/**
 * Does for an Apptainer image what Apptainer does: reads its variables, then runs what the image is for or the command given.
 * It is the script's name (`$0`) that says which.
 */
const startScript = `for script in /.singularity.d/env/*.sh; do [ ! -f "$script" ] || . "$script"; done
[ "$0" = exec ] || set -- /.singularity.d/runscript "$@"
exec "$@"`;

/**
 * Works out what is to be run from the image's configuration, or by its own scripts, and what was asked for.
 *
 * @param launched what an MPI launcher gave this process
 * @throws SpacktainersError USAGE (a bad bind, directory or variable; nothing to run, or an option), NOT_FOUND (a bind's source)
 */
export async function containerProcess(
  config: ImageConfig,
  options: ProcessOptions,
  launched: Launch | undefined = detectLaunch(),
): Promise<ContainerProcess> {
  const execution = config.config ?? {};
  const entrypoint = execution.Entrypoint ?? [];
  // A shell is for whoever looks around; what starts our own images' programs starts that as well.
  const isDirect =
    options.entrypoint === "none" || (options.entrypoint === "shell" && !startsPrograms(entrypoint));
  const command = options.entrypoint === "shell" ? shellLine(entrypoint) : options.command;
  const ownScript: OwnScript | undefined = options.hasOwnScripts
    ? {
        action: options.entrypoint === "image" || options.entrypoint === undefined ? "run" : "exec",
        args: command,
      }
    : undefined;
  const [program, ...args] =
    ownScript !== undefined
      ? scriptLine(ownScript)
      : isDirect
        ? command
        : commandLine(entrypoint, execution.Cmd ?? [], command);
  if (program === undefined)
    throw new SpacktainersError(
      "USAGE",
      options.entrypoint === "none"
        ? "say which program to run"
        : "the image has no command; name a program to run",
    );
  if (isDirect || startsPrograms(entrypoint)) expectProgram(command);
  for (const text of [program, ...args]) expectNoNul(text, "an argument");
  const tty = options.tty ?? (process.stdin.isTTY === true && process.stdout.isTTY === true);
  const launch = chosenLaunch(options.mpi ?? "auto", launched);
  const extraEnv = new Map<string, string>(launch?.variables);
  const { TERM: terminal } = hostEnvironment();
  if (tty && terminal !== undefined) extraEnv.set("TERM", terminal);
  for (const [name, value] of Object.entries(options.env ?? {})) {
    if (name === "" || name.includes("="))
      throw new SpacktainersError("USAGE", `${JSON.stringify(name)} is not the name of a variable`);
    expectNoNul(name + value, "a variable");
    extraEnv.set(name, value);
  }
  const env = new Map([["PATH", defaultPath]]);
  for (const line of execution.Env ?? []) {
    const equals = line.indexOf("=");
    if (equals > 0 && !line.includes("\0")) env.set(line.slice(0, equals), line.slice(equals + 1));
  }
  for (const [name, value] of extraEnv) env.set(name, value);
  return {
    argv: [program, ...args],
    ownScript,
    env,
    extraEnv,
    workdir: absoluteInside(options.workdir ?? (execution.WorkingDir || "/"), "the working directory"),
    binds: await bindsOf(options.binds ?? [], launch),
    network: options.network ?? "host",
    tty,
    readOnly: options.readOnly ?? false,
    gpu: options.gpu,
    hostMpi: options.mpi === "host",
    user: options.fakeroot === true ? fakeRoot : ownIdentity(),
    fakeroot: options.fakeroot === true,
    isWatched: launched !== undefined,
    launch: launch === undefined ? undefined : { descriptor: launch.descriptor, devices: launch.devices },
  };
}

/** An interactive shell. Bash may be missing where another shell is not. */
function shellLine(entrypoint: readonly string[]): readonly string[] {
  if (isShell(entrypoint)) return ["/bin/bash"];
  return ["/bin/sh", "-c", "[ ! -x /bin/bash ] || exec /bin/bash; exec /bin/sh"];
}

/** The command line that starts an Apptainer image where Apptainer does not; none to execute nothing. */
function scriptLine({ action, args }: OwnScript): readonly string[] {
  return action === "exec" && args.length === 0 ? [] : ["/bin/sh", "-c", startScript, action, ...args];
}

/** The binds asked for, and the launcher's directories, as far as they are there and nothing else is in their place. */
async function bindsOf(asked: readonly Bind[], launch: Launch | undefined): Promise<readonly Bind[]> {
  const binds = await Promise.all(asked.map(checkBind));
  for (const path of launch?.directories ?? []) {
    if (binds.some(({ target }) => target === path)) continue;
    const bind = await checkBind({ source: path, target: path, readOnly: false }).catch(() => undefined);
    if (bind !== undefined) binds.push(bind);
  }
  return binds;
}

/**
 * The container with `PMI_FD` set to the number that the launcher's socket has in it.
 * @param number chosen by the runtime; without a socket nothing is set
 */
export function withDescriptor(container: ContainerProcess, number: number): ContainerProcess {
  if (container.launch?.descriptor === undefined) return container;
  const own = [["PMI_FD", String(number)]] as const;
  return {
    ...container,
    env: new Map([...container.env, ...own]),
    extraEnv: new Map([...container.extraEnv, ...own]),
  };
}

/**
 * Program and arguments by the rules of the OCI image specification: a command replaces `Cmd`, the entrypoint stays.
 *
 * The entrypoint of our own images (a login shell that runs `$*`) takes arguments apart at blanks. Where several are given, they
 * are meant as they are, and are passed on so; a single one is taken apart, as with any other runtime.
 */
export function commandLine(
  entrypoint: readonly string[],
  cmd: readonly string[],
  command: readonly string[],
): readonly string[] {
  const args = command.length > 0 ? command : cmd;
  if (args.length > 1 && isShell(entrypoint)) return [...entrypoint.slice(0, -2), 'exec "$@"', "--", ...args];
  return [...entrypoint, ...args];
}

/** Whether an entrypoint is the login shell of our own images. */
function isShell(entrypoint: readonly string[]): boolean {
  const [dashC, script, ...rest] = entrypoint.slice(-3);
  return dashC === "-c" && script === "$*" && rest.join() === "--";
}

/** Whether the first word of a command is a program; other entrypoints take options. */
function startsPrograms(entrypoint: readonly string[]): boolean {
  return entrypoint.length === 0 || isShell(entrypoint);
}

/**
 * Reads `SOURCE[:TARGET[:ro|rw]]`, as container runtimes write binds; without a target the source's own path is used.
 * @param directory what a relative source is relative to
 * @throws SpacktainersError USAGE
 */
export function parseBind(text: string, directory: string): Bind {
  const [source = "", target, mode, ...more] = text.split(":");
  if (source === "" || more.length > 0 || (mode !== undefined && mode !== "ro" && mode !== "rw"))
    throw new SpacktainersError("USAGE", `the bind ${JSON.stringify(text)} is not SOURCE[:TARGET[:ro]]`);
  const absolute = resolve(directory, source);
  return { source: absolute, target: target === undefined ? absolute : target, readOnly: mode === "ro" };
}

async function checkBind(bind: Bind): Promise<Bind> {
  expectNoNul(bind.source + bind.target, "a bind");
  const target = absoluteInside(bind.target, "a bind's target");
  if (target === "/") throw new SpacktainersError("USAGE", "nothing can be bound to the container's /");
  const source = await realpath(bind.source).catch((error: unknown) => {
    throw new SpacktainersError("NOT_FOUND", "what should be bound does not exist", {
      place: { file: bind.source },
      cause: error,
    });
  });
  return { source, target, readOnly: bind.readOnly };
}

function absoluteInside(path: string, what: string): string {
  expectNoNul(path, what);
  if (!path.startsWith("/"))
    throw new SpacktainersError("USAGE", `${what} must be an absolute path in the container, not ${path}`);
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
}

function expectNoNul(text: string, what: string): void {
  if (text.includes("\0")) throw new SpacktainersError("USAGE", `${what} contains a zero byte`);
}
