import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { arch, release } from "node:os";
import { join } from "node:path";
import { type LayoutImage, readOciLayout } from "../archive/oci/readOciLayout.ts";
import type { Platform } from "../archive/oci/types.ts";
import { temporaryPath, writeFileAtomically } from "../util/atomicFile.ts";
import { cacheHome } from "../util/cacheHome.ts";
import { digestOf } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, ignoreEvents } from "../util/events.ts";
import { shellLine } from "../util/shellQuote.ts";
import { findProgram, lastLine, runTool } from "../util/tool.ts";
import { apptainerInvocation } from "./apptainer.ts";
import { containerProcess } from "./containerProcess.ts";
import { engineInvocation, engineTrouble, importImage } from "./engine.ts";
import { cloneWithAdditions, fitRoot } from "./fitRoot.ts";
import { hostFiles } from "./hostFiles.ts";
import { type Invocation, refuseHostMpi } from "./invocation.ts";
import { namespaceAbilities } from "./namespaceAbilities.ts";
import { namespaceCommandLine, runInNamespace } from "./namespaceRunner.ts";
import { loadIntoSarus, sarusInvocation } from "./sarus.ts";
import { superviseProcess } from "./superviseProcess.ts";
import type { ContainerProcess, RunOptions, RuntimeName } from "./types.ts";
import { mergedLayers, type UnpackContext } from "./unpackedLayers.ts";

/** A refusal is not asked about again for this long, in milliseconds: somebody may repair the installation. */
const refusalLifetime = 60 * 60_000;

/** One run under way. */
interface Run {
  readonly image: LayoutImage;
  readonly layout: string;
  readonly container: ContainerProcess;
  readonly cache: string;
  readonly emit: EmitEvent;
  readonly options: RunOptions;
}

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
  const reference = typeof options.image === "string" ? { layout: options.image } : options.image;
  const platform = reference.platform ?? machinePlatform();
  const image = await readOciLayout(reference.layout, {
    platform,
    verifyLayers: false,
    ...(reference.reference === undefined ? {} : { reference: reference.reference }),
  });
  const run: Run = {
    image,
    layout: reference.layout,
    container: await containerProcess(image.config, options),
    cache: options.cacheDirectory ?? cacheHome(),
    emit: options.emit ?? ignoreEvents,
    options,
  };
  const chosen = options.runtime ?? "auto";
  if (chosen !== "auto") return start(chosen, await programOf(chosen), run);
  for (const name of runtimesFor(run.container)) {
    const program = await findProgram(name);
    if (program === undefined) continue;
    if ((await troubleWith(name, program, run)) === undefined) return start(name, program, run);
    expectNotInterrupted(options);
  }
  return start("namespace", "", run);
}

/** Runtimes to try, in order: those that can do at all what is asked for. */
function runtimesFor(container: ContainerProcess): readonly Exclude<RuntimeName, "namespace">[] {
  if (container.hostMpi) return ["sarus"];
  // Docker's daemon starts containers, and cannot hand on a socket of ours.
  const docker = container.launch?.descriptor === undefined ? (["docker"] as const) : [];
  const sarus =
    container.readOnly || container.network === "none" || container.fakeroot ? [] : (["sarus"] as const);
  return ["podman", ...docker, "apptainer", "singularity", ...sarus];
}

/** This machine, in the words of image configurations. */
export function machinePlatform(): Platform {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  return { os: "linux", architecture: names[arch()] ?? arch() };
}

async function programOf(name: RuntimeName): Promise<string> {
  if (name === "namespace") return "";
  const program = await findProgram(name);
  if (program === undefined)
    throw new SpacktainersError("RUNTIME_MISSING", `${name} is not installed here`, {
      hint: "leave out --with to use what there is",
    });
  return program;
}

async function start(name: RuntimeName, program: string, run: Run): Promise<number> {
  if (name === "namespace") {
    refuseHostMpi("our own runner", run.container);
    if (run.container.gpu !== undefined)
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        "our own runner cannot give a container the drivers of a graphics processor",
        {
          hint: "Apptainer, Podman, Docker and Sarus can",
        },
      );
    const { processNumbers, ...rest } = await namespaceAbilities(run.container.network);
    // Ranks name what they share by their process numbers, which therefore must differ from one container to the next.
    const abilities = { ...rest, processNumbers: processNumbers && run.container.launch === undefined };
    const context = unpackContext(run);
    if (run.options.print === undefined) return runInNamespace(run.image, run.container, context, abilities);
    run.options.print(shellLine(await namespaceCommandLine(run.image, run.container, context, abilities)));
    return 0;
  }
  const files: string[] = [];
  try {
    const invocation = await invocationFor(name, program, run, files);
    expectNotInterrupted(run.options);
    if (run.options.print === undefined) {
      const { signal } = run.options;
      return await superviseProcess({ ...invocation, ...(signal === undefined ? {} : { signal }) });
    }
    run.options.print(shellLine(invocation.argv));
    return 0;
  } finally {
    for (const file of files) await rm(file, { force: true });
  }
}

async function invocationFor(
  name: Exclude<RuntimeName, "namespace">,
  program: string,
  run: Run,
  files: string[],
): Promise<Invocation> {
  if (name === "apptainer" || name === "singularity") {
    return apptainerInvocation(name, program, await sandbox(run), run.container);
  }
  if (name === "sarus")
    return sarusInvocation(
      program,
      await loadIntoSarus(run.image, importContext(program, run)),
      run.container,
    );
  const imported = await importImage(name, run.image, importContext(program, run));
  return engineInvocation(name, program, imported, run.container, async (text) => {
    const folder = join(run.cache, "run");
    await mkdir(folder, { recursive: true });
    const path = temporaryPath(folder);
    files.push(path);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  });
}

/** Why a runtime cannot run the image, or undefined; found out once, told once, remembered. */
async function troubleWith(
  name: Exclude<RuntimeName, "namespace">,
  program: string,
  run: Run,
): Promise<string | undefined> {
  const facts = await stat(program);
  const settings = [
    "HOME",
    "XDG_RUNTIME_DIR",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
  ];
  const key = digestOf(
    JSON.stringify([
      program,
      facts.size,
      facts.mtimeMs,
      release(),
      process.getuid?.(),
      ...settings.map((variable) => process.env[variable] ?? ""),
    ]),
  ).slice("sha256:".length, "sha256:".length + 16);
  const path = join(run.cache, "run", `${name}-${key}`);
  const known = await stat(path).catch(() => undefined);
  if (known !== undefined) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (text === "" || Math.abs(Date.now() - known.mtimeMs) < refusalLifetime)
      return text === "" ? undefined : text;
  }
  const trouble = await askRuntime(name, program, run);
  expectNotInterrupted(run.options);
  await writeFileAtomically(path, trouble ?? "");
  if (trouble !== undefined)
    run.emit({
      type: "warning",
      code: "NOTICE",
      message: `${name} is installed but cannot run this image, so another runtime is used: ${trouble}`,
      hint: `--with ${name} tries it again`,
    });
  return trouble;
}

async function askRuntime(
  name: Exclude<RuntimeName, "namespace">,
  program: string,
  run: Run,
): Promise<string | undefined> {
  if (name === "apptainer" || name === "singularity") {
    const root = await sandbox(run);
    const result = await runTool([program, "--silent", "exec", "--contain", root, "/bin/sh", "-c", ":"], {
      timeout: 60_000,
    });
    return result.status === 0 || result.status === 127 ? undefined : lastLine(result.stderr);
  }
  if (name === "sarus") return sarusTrouble(program, run);
  if (name === "docker") {
    const result = await runTool([program, "version", "--format", "{{.Server.Version}}"], {
      timeout: 10_000,
    });
    if (result.status !== 0) return lastLine(result.stderr) || "its daemon does not answer";
  }
  try {
    const imported = await importImage(name, run.image, importContext(program, run));
    const trouble = await engineTrouble(name, program, imported, run.container);
    if (trouble !== undefined) await runTool([program, "rmi", imported]);
    return trouble;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Why Sarus cannot run the image, or undefined. */
async function sarusTrouble(program: string, run: Run): Promise<string | undefined> {
  try {
    const image = await loadIntoSarus(run.image, importContext(program, run));
    const command = [program, "run", "--entrypoint", "", image, "/bin/sh", "-c", ":"] as const;
    const result = await runTool(command, { timeout: 60_000 });
    return result.status === 0 || result.status === 127
      ? undefined
      : lastLine(result.stderr) || `status ${result.status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The image as one directory, with places for what Apptainer mounts; it makes none by itself. */
async function sandbox(run: Run): Promise<string> {
  const folder = rootfsFolder(run);
  const image = await mergedLayers(run.image.layers, unpackContext(run));
  const files = await hostFiles(run.container.network);
  const { additions } = await fitRoot([join(folder, image, "fs")], run.container, files, undefined);
  return join(folder, await cloneWithAdditions(folder, image, additions), "fs");
}

function importContext(program: string, run: Run) {
  const { signal } = run.options;
  return {
    program,
    layout: run.layout,
    scratch: join(run.cache, "run"),
    emit: run.emit,
    ...(signal === undefined ? {} : { signal }),
  };
}

function unpackContext(run: Run): UnpackContext {
  const { signal } = run.options;
  return { directory: rootfsFolder(run), emit: run.emit, ...(signal === undefined ? {} : { signal }) };
}

function rootfsFolder(run: Run): string {
  return join(run.cache, "rootfs");
}

function expectNotInterrupted(options: RunOptions): void {
  if (options.signal?.aborted === true)
    throw new SpacktainersError("INTERRUPTED", "interrupted before the container was started");
}
