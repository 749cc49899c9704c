import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import type { Image } from "../image/image.ts";
import { SpacktainersError } from "../util/errors.ts";
import { launcherDescriptor, noProcStatus } from "./namespaceScripts.ts";
import {
  type NamespaceAbilities,
  type NamespaceStart,
  prepareNamespace,
  toolEnvironment,
} from "./namespaceStart.ts";
import { superviseProcess } from "./superviseProcess.ts";
import type { ContainerProcess } from "./types.ts";
import type { UnpackContext } from "./unpackedLayers.ts";

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
  const start = await prepareNamespace(image, container, context, abilities);
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
  return (await prepareNamespace(image, container, context, abilities)).watched;
}

interface Outcome {
  readonly status: number;
  /** The program was started; the status is its own. */
  readonly ready: boolean;
  readonly report: string;
}

async function supervise(start: NamespaceStart, context: UnpackContext): Promise<Outcome> {
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
    argv: start.watched,
    env: toolEnvironment(),
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
    signal: context.signal,
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
