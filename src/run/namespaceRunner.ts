import type { ChildProcess } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import type { Image } from "../image/image.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { hostPath } from "../util/hostPath.ts";
import { withDescriptor } from "./containerProcess.ts";
import { type FittedRoot, fitRoot } from "./fitRoot.ts";
import { hostFiles } from "./hostFiles.ts";
import { mountPointsBelow } from "./mountPoints.ts";
import {
  environmentScript,
  guardScript,
  innerScript,
  launcherDescriptor,
  noProcStatus,
  outerScript,
  placeScript,
} from "./namespaceScripts.ts";
import { superviseProcess } from "./superviseProcess.ts";
import type { ContainerProcess } from "./types.ts";
import { mergedLayers, stackedLayers, type UnpackContext } from "./unpackedLayers.ts";
import { cloneWithAdditions, writeAdditions } from "./writeAdditions.ts";

/** What the machine's kernel lets us do. */
export interface NamespaceAbilities {
  /** Mounting a stack of directories in a user namespace (Linux 5.11). */
  readonly overlay: boolean;
  /** Process numbers of our own; needs a `/proc` of our own. */
  readonly processNumbers: boolean;
}

/** Everything `unshare` and the scripts are given. */
interface Start {
  readonly argv: readonly [string, ...string[]];
  readonly environment: string;
  /** The socket of an MPI launcher. */
  readonly descriptor: number | undefined;
}

/**
 * Runs a container in namespaces that any user can make: no daemon, no root, no program but util-linux and a shell.
 *
 * The program sees itself as who runs us, or as root where that was asked for, and has exactly our rights on the files bound. The root's layers are unpacked once and shared;
 * what is written goes to memory and is dropped at the end. When we are killed, however hard, all of it ends.
 *
 * @returns the program's exit status
 * @throws SpacktainersError RUNTIME_MISSING (no user namespaces here), PROCESS_FAILED (the container could not be set up)
 */
export async function runInNamespace(
  image: Image,
  container: ContainerProcess,
  context: UnpackContext,
  abilities: NamespaceAbilities,
): Promise<number> {
  const start = await prepare(image, container, context, abilities);
  const outcome = await supervise(start, context);
  if (outcome.ready) return outcome.status;
  if (outcome.status === noProcStatus && abilities.processNumbers)
    return runInNamespace(image, container, context, { ...abilities, processNumbers: false });
  if (context.signal?.aborted === true || outcome.status > 128)
    throw new SpacktainersError("INTERRUPTED", "interrupted while starting the container");
  throw new SpacktainersError(
    "PROCESS_FAILED",
    `the container could not be set up: ${outcome.report.trim().split("\n").slice(-3).join("; ") || `status ${outcome.status}`}`,
    { hint: "try another runtime with --with, if one is installed" },
  );
}

/** The command line that {@link runInNamespace} would run. */
export async function namespaceCommandLine(
  image: Image,
  container: ContainerProcess,
  context: UnpackContext,
  abilities: NamespaceAbilities,
): Promise<readonly string[]> {
  return (await prepare(image, container, context, abilities)).argv;
}

async function prepare(
  image: Image,
  container: ContainerProcess,
  context: UnpackContext,
  abilities: NamespaceAbilities,
): Promise<Start> {
  const layers = abilities.overlay
    ? await stackedLayers(image, context)
    : [await mergedLayers(image, context)];
  const stack = layers.map((id) => join(context.directory, id, "fs"));
  const devices = (container.launch?.devices ?? [])
    .filter((path) => !container.binds.some(({ target }) => target === path))
    .map((path) => ({ source: path, target: path, readOnly: false }));
  const all = { ...container, binds: [...container.binds, ...devices] };
  const fitted = await fitRoot(stack, all, await hostFiles(container.network), container.user);
  await mkdir(join(context.directory, "mnt"), { recursive: true });
  const root = await rootArguments(layers, fitted, context, abilities);
  const { env } = withDescriptor(container, launcherDescriptor);
  const { text, skipped } = environmentScript(new Map([["HOME", fitted.home], ...env]));
  for (const name of skipped)
    context.emit({
      type: "warning",
      code: "NOTICE",
      message: `the variable ${name} cannot be set in the container`,
    });
  const readOnly = await readOnlyPlaces(fitted, container);
  const namespaces = ["-U", "-r", "-m", ...(abilities.processNumbers ? ["-p"] : [])];
  if (container.network === "none") namespaces.push("-n");
  return {
    argv: [
      "unshare",
      ...namespaces,
      "sh",
      await scriptFile(context.directory, guardScript),
      await scriptFile(context.directory, outerScript),
      ...root,
      container.network,
      container.readOnly ? "ro" : "rw",
      String(container.user.uid),
      String(container.user.gid),
      String(fitted.temporary.length),
      ...fitted.temporary,
      String(fitted.binds.length),
      ...fitted.binds.flatMap((bind) => [bind.source, bind.path, bind.make]),
      String(readOnly.length),
      ...readOnly,
      await scriptFile(context.directory, placeScript),
      await scriptFile(context.directory, innerScript),
      container.workdir,
      ...container.argv,
    ],
    environment: text,
    descriptor: container.launch?.descriptor,
  };
}

/** Places to be made read-only: the machine's `/sys`, and binds that are to be, with what is mounted inside them. */
async function readOnlyPlaces(fitted: FittedRoot, container: ContainerProcess): Promise<readonly string[]> {
  const trees = fitted.binds.filter((bind) => bind.readOnly);
  const sys = { source: "/sys", path: "sys" };
  const places = [];
  for (const { source, path } of [...(container.network === "host" ? [sys] : []), ...trees])
    places.push(path, ...(await mountPointsBelow(source)).map((point) => `${path}/${point}`));
  // A writable bind inside a read-only one stays writable: it is mounted on top.
  const writable = fitted.binds.filter((bind) => !bind.readOnly).map((bind) => bind.path);
  return places.filter((place) => !writable.includes(place));
}

/** Keeps a script in a file, named relative to `directory`: command lines in process lists stay readable. */
async function scriptFile(directory: string, script: string): Promise<string> {
  const name = `${hexOfDigest(digestOf(script)).slice(0, 16)}.sh`;
  const path = join(directory, name);
  if ((await readFile(path, "utf8").catch(() => undefined)) !== script)
    await writeFileAtomically(path, script);
  return name;
}

async function rootArguments(
  layers: readonly string[],
  fitted: FittedRoot,
  context: UnpackContext,
  abilities: NamespaceAbilities,
): Promise<readonly [string, string]> {
  if (abilities.overlay) {
    const top = await writeAdditions(fitted.additions, context);
    return ["overlay", [top, ...[...layers].reverse()].map((id) => `${id}/fs`).join(":")];
  }
  context.emit({
    type: "warning",
    code: "NOTICE",
    message: "this kernel cannot stack directories for users: the container's root is read-only",
  });
  const id = await cloneWithAdditions(layers[0] ?? "", fitted.additions, context);
  return ["directory", `${id}/fs`];
}

interface Outcome {
  readonly status: number;
  /** The program was started; the status is its own. */
  readonly ready: boolean;
  readonly report: string;
}

async function supervise(start: Start, context: UnpackContext): Promise<Outcome> {
  let report = "";
  let inner: string | undefined;
  let child: ChildProcess | undefined;
  let reported: Promise<unknown> = Promise.resolve();
  let program: Promise<number | undefined> | undefined;
  const early: NodeJS.Signals[] = [];
  const send = async (signal: NodeJS.Signals): Promise<void> => {
    if (inner === undefined || child?.pid === undefined) return void early.push(signal);
    program ??= findProcess(child.pid, inner);
    const pid = await program;
    try {
      if (pid !== undefined) process.kill(pid, signal);
    } catch {
      // It has ended by itself.
    }
  };
  const status = await superviseProcess({
    argv: start.argv,
    // The container's environment must not reach the machine's own programs (LD_LIBRARY_PATH, PATH).
    env: { PATH: hostPath(), LC_ALL: "C", LIBMOUNT_FORCE_MOUNT2: "always" },
    cwd: context.directory,
    extraPipes: 3,
    ...(start.descriptor === undefined
      ? {}
      : { descriptor: { own: start.descriptor, number: launcherDescriptor } }),
    started: (started) => {
      child = started;
      const [, reports, environment] = started.stdio.slice(3) as [Writable, Readable, Writable];
      environment.on("error", () => {});
      environment.end(start.environment);
      reports.setEncoding("utf8");
      reported = new Promise((resolve) => void reports.once("close", resolve));
      reports.on("data", (text: string) => {
        report = (report + text).slice(-65_536);
        inner ??= /^ready (\d+)$/m.exec(report)?.[1];
        if (inner !== undefined) for (const signal of early.splice(0)) void send(signal);
      });
    },
    deliver: (signal, started) => {
      // Before there is a program to pass it on to, ending is all it can mean. Closing the lifeline ends everything.
      if (inner === undefined && (signal === "SIGTERM" || signal === "SIGINT" || signal === "SIGHUP"))
        (started.stdio[3] as Writable).end();
      else void send(signal);
    },
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
  // What was reported last may be on its way still.
  await Promise.race([reported, setTimeout(1000, undefined, { ref: false })]);
  for (const pipe of child?.stdio.slice(3, 6) ?? []) pipe?.destroy();
  return { status, ready: inner !== undefined, report };
}

/** Number, as we see it, of the descendant that calls itself `inner` in its own namespace (`NSpid` in proc(5)). */
async function findProcess(ancestor: number, inner: string): Promise<number | undefined> {
  const pending = [ancestor];
  for (let pid = pending.shift(); pid !== undefined; pid = pending.shift()) {
    const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => "");
    const numbers = /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
    if (pid !== ancestor && numbers.at(-1) === inner) return pid;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "latin1").catch(() => "");
    pending.push(...children.split(" ").filter(Boolean).map(Number));
  }
  return undefined;
}
