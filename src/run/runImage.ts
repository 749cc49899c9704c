import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ImageConfig } from "../archive/oci/types.ts";
import type { Image } from "../image/image.ts";
import { temporaryPath, writeFileAtomically } from "../util/atomicFile.ts";
import { SpacktainersError } from "../util/errors.ts";
import { ignoreEvents } from "../util/events.ts";
import { usableCacheHome } from "../util/expectWritable.ts";
import { type ProcessReplacer, processReplacer } from "../util/replaceProcess.ts";
import { shellLine } from "../util/shellQuote.ts";
import { findProgram, runTool } from "../util/tool.ts";
import { apptainerInvocation } from "./apptainer.ts";
import { apptainerSharing, type Sharing } from "./apptainerSharing.ts";
import { charliecloudInvocation } from "./charliecloud.ts";
import { containerProcess } from "./containerProcess.ts";
import { executionOf } from "./emulator.ts";
import { engineInvocation, importImage } from "./engine.ts";
import { enrootInvocation, enrootScript } from "./enroot.ts";
import { type Invocation, refuseHostMpi } from "./invocation.ts";
import { machinePlatform } from "./machinePlatform.ts";
import { namespaceAbilities } from "./namespaceAbilities.ts";
import { becomeRank } from "./namespaceRank.ts";
import { namespaceCommandLine, runInNamespace } from "./namespaceRunner.ts";
import {
  apptainerRoot,
  expectNotInterrupted,
  importContext,
  ociImageOfRun,
  type PreparedRun,
  unpackContext,
} from "./preparedRun.ts";
import { lookUpPath } from "./rootView.ts";
import { troubleWith } from "./runtimeTrial.ts";
import { loadIntoSarus, sarusInvocation } from "./sarus.ts";
import { superviseProcess } from "./superviseProcess.ts";
import type { Bind, RunOptions, RuntimeName, TriedRuntime } from "./types.ts";

/**
 * Runs a program in an image, with this process's standard input, output and error, until it ends.
 *
 * With `runtime: "auto"` the first of Podman, Docker, Apptainer, Singularity and Sarus is taken that is installed and works (which is tried,
 * once), else our own runner. Signals are passed on; the image is unpacked or imported once.
 *
 * @returns the program's exit status; 128 + n when signal n ended it; 126 and 127 when it cannot be started
 * @throws SpacktainersError NOT_FOUND, ARCHIVE_INVALID, CHECKSUM_MISMATCH (the image), USAGE (binds, directories), RUNTIME_MISSING,
 *   PROCESS_FAILED (the container could not be set up), INTERRUPTED
 */
export async function runImage(options: RunOptions): Promise<number> {
  const { image } = options;
  const { value: config } = await image.config();
  const binds = [...(options.binds ?? []), ...(await emulatorBinds(config, image))];
  const run: PreparedRun = {
    image,
    container: await containerProcess(config, { ...options, binds, hasOwnScripts: image.hasOwnScripts }),
    cache: options.cacheDirectory ?? (await usableCacheHome()),
    emit: options.emit ?? ignoreEvents,
    options,
  };
  const chosen = options.runtime ?? "auto";
  if (chosen !== "auto") return start(chosen, await programOf(chosen), run);
  for (const name of runtimesFor(run)) {
    const program = await findProgram(name);
    if (program === undefined) continue;
    if ((await troubleWith(name, program, run)) === undefined) return start(name, program, run);
    expectNotInterrupted(options);
  }
  return start("namespace", "", run);
}

/**
 * What a container of another processor needs beside its own files: the emulator by which the kernel starts its programs, where that
 * has to be in the container.
 * @throws SpacktainersError NOT_SUPPORTED: there is none here
 */
async function emulatorBinds({ architecture }: ImageConfig, { place }: Image): Promise<readonly Bind[]> {
  const execution = await executionOf(architecture);
  if (execution.kind === "native") return [];
  if (execution.kind === "impossible")
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `the image is for ${architecture}, and this machine is ${machinePlatform().architecture} without an emulator`,
      { place, hint: execution.hint },
    );
  const { path, isFixed } = execution.emulator;
  return isFixed ? [] : [{ source: path, target: path, readOnly: true }];
}

/** Runtimes to try, in order: those that can do at all what is asked for. Images of Apptainer's own are for it first. */
function runtimesFor({ image, container }: PreparedRun): readonly TriedRuntime[] {
  if (container.hostMpi) return ["sarus"];
  // Docker's daemon starts containers, and cannot hand on a socket of this process.
  const docker = container.launch?.descriptor === undefined ? (["docker"] as const) : [];
  const sarus =
    container.readOnly || container.network === "none" || container.fakeroot ? [] : (["sarus"] as const);
  const [engines, apptainer] = [["podman", ...docker] as const, ["apptainer", "singularity"] as const];
  return image.apptainerPath === undefined
    ? [...engines, ...apptainer, ...sarus]
    : [...apptainer, ...engines, ...sarus];
}

async function programOf(name: RuntimeName): Promise<string> {
  if (name === "namespace") return "";
  const program = await findProgram(name === "charliecloud" ? "ch-run" : name);
  if (program === undefined)
    throw new SpacktainersError("RUNTIME_MISSING", `${name} is not installed here`, {
      hint: "leave out --with to use an installed runtime",
    });
  return program;
}

async function start(name: RuntimeName, program: string, run: PreparedRun): Promise<number> {
  if (name === "namespace") {
    refuseHostMpi("spacktainers' own runner", run.container);
    if (run.container.gpu !== undefined)
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        "spacktainers' own runner cannot give a container the drivers of a graphics processor",
        {
          hint: "Apptainer, Podman, Docker and Sarus can",
        },
      );
    const { processNumbers, ...rest } = await namespaceAbilities(run.container.network);
    // Ranks name what they share by their process numbers, which therefore must differ from one container to the next.
    const abilities = { ...rest, processNumbers: processNumbers && run.container.launch === undefined };
    const context = unpackContext(run);
    const replacer = await replacerFor(run);
    if (replacer !== undefined)
      return becomeRank(run.image, run.container, { context, abilities, replacer, leave: () => leave(run) });
    if (run.options.print === undefined) return runInNamespace(run.image, run.container, context, abilities);
    run.options.print(shellLine(await namespaceCommandLine(run.image, run.container, context, abilities)));
    return 0;
  }
  const files: string[] = [];
  try {
    const invocation = await invocationFor(name, program, run, files);
    expectNotInterrupted(run.options);
    // A file with variables is ours to remove when the runtime has ended.
    const replacer = files.length === 0 ? await replacerFor(run) : undefined;
    if (replacer !== undefined) {
      const { argv, env, descriptor } = invocation;
      await leave(run);
      return replacer.replace({ argv, env, descriptors: descriptor === undefined ? [] : [descriptor] });
    }
    if (run.options.print === undefined) {
      const { signal } = run.options;
      return await superviseProcess({ ...invocation, signal });
    }
    run.options.print(shellLine(invocation.argv));
    return 0;
  } finally {
    for (const file of files) await rm(file, { force: true });
  }
}

/** The last that happens here before the program takes this process's place. */
async function leave({ image, options }: PreparedRun): Promise<void> {
  await image.close();
  options.leave?.();
}

/** What lets the program take the place of this process, where a launcher watches it: no process of spacktainers has to stay beside it then. */
async function replacerFor({ container, options }: PreparedRun): Promise<ProcessReplacer | undefined> {
  return container.isWatched && options.print === undefined ? processReplacer() : undefined;
}

async function invocationFor(
  name: Exclude<RuntimeName, "namespace">,
  program: string,
  run: PreparedRun,
  files: string[],
): Promise<Invocation> {
  if (name === "apptainer" || name === "singularity") {
    const root = await apptainerRoot(run);
    return apptainerInvocation(name, program, {
      root,
      container: run.container,
      sharing: await sharingOf(name, program, root, run),
    });
  }
  if (name === "sarus")
    return sarusInvocation(
      program,
      await loadIntoSarus(await ociImageOfRun(run), importContext(program, run)),
      run.container,
    );
  if ((name === "charliecloud" || name === "enroot") && run.image.apptainerPath !== undefined)
    throw new SpacktainersError("NOT_SUPPORTED", `${name} does not run Apptainer's files`, {
      place: { file: run.image.apptainerPath },
      hint: "name the container image that the file was made from",
    });
  if (name === "charliecloud") {
    const help = await runTool([program, "--help"], { timeout: 30_000 });
    return charliecloudInvocation(
      program,
      await apptainerRoot(run),
      run.container,
      /--write-fake/.test(help.stdout),
    );
  }
  if (name === "enroot") {
    const script = join(run.cache, "run", "enroot.rc");
    await mkdir(dirname(script), { recursive: true });
    await writeFileAtomically(script, enrootScript);
    return enrootInvocation(program, await apptainerRoot(run), script, run.container);
  }
  const imported = await importImage(name, await ociImageOfRun(run), importContext(program, run));
  return engineInvocation(name, program, {
    image: imported,
    container: run.container,
    writeEnvFile: async (text) => {
      const folder = join(run.cache, "run");
      await mkdir(folder, { recursive: true });
      const path = temporaryPath(folder);
      files.push(path);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    },
  });
}

/** How a rank of Apptainer shares a namespace with others: where all were started by one process, which the launcher is for them. */
async function sharingOf(
  name: RuntimeName,
  program: string,
  root: string,
  run: PreparedRun,
): Promise<Sharing | undefined> {
  const { launch, network, binds, readOnly, gpu, fakeroot, workdir, ownScript } = run.container;
  const mayShare =
    name === "apptainer" &&
    launch !== undefined &&
    network === "host" &&
    process.getuid?.() !== 0 &&
    (await replacerFor(run)) !== undefined;
  // A shell is needed; the scripts of Apptainer's own images are for one, and only one of them takes a program.
  const hasShell =
    ownScript === undefined
      ? (await lookUpPath([root], "bin/sh").catch(() => undefined))?.kind === "file"
      : ownScript.action === "exec";
  if (!mayShare || !hasShell) return undefined;
  const key = JSON.stringify([root, binds, launch.devices, readOnly, gpu, fakeroot, workdir]);
  return apptainerSharing(program, key, join(run.cache, "run"));
}
