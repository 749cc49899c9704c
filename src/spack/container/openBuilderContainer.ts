/** Opening a builder image: which engine runs it here, under which name it knows the image, and whether packages can be built in it. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type BuilderEngine, builderEngines } from "../../definitions/executorNames.ts";
import { hostArchitecture } from "../../definitions/select.ts";
import { openLayout } from "../../image/openLayout.ts";
import { openOciArchive } from "../../image/openOciArchive.ts";
import { type ImportContext, importImage } from "../../run/engine.ts";
import { engineBehind, engineUserOptions } from "../../run/engineUser.ts";
import { ownIdentity } from "../../run/identity.ts";
import { sweepTemporaries, temporaryPath } from "../../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../../util/digest.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { hostTag, processIsAlive } from "../../util/processes.ts";
import { removeIfPossible } from "../../util/removeIfPossible.ts";
import { findProgram, lastLine, runTool } from "../../util/tool.ts";
import { missingTools, toolsScript } from "../hostTools.ts";
import { isTooOld, type Python, pythonQuestion, readPython } from "../python.ts";
import {
  type BuilderContainer,
  type BuilderPlaces,
  builderBinds,
  type InnerCommand,
} from "./builderContainer.ts";
import { engineCommand, innerPath } from "./engineCommands.ts";

/** Which image, and what runs it. */
export interface BuilderChoice {
  /** A reference; or the path of a SIF file, an OCI layout, an OCI archive or a directory with a root. */
  readonly image: string;
  /** Undefined: the first of {@link builderEngines} that is here and can run it. */
  readonly engine: BuilderEngine | undefined;
  readonly place: Place;
}

/** What opening it needs. */
export interface BuilderOptions extends BuilderPlaces {
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
  /** Packages are built in it; otherwise it needs no more than a shell. */
  readonly needs?: "packages" | "shell";
}

/**
 * Opens a builder image with an engine of this machine. Images of registries are fetched once.
 *
 * @throws SpacktainersError RUNTIME_MISSING without an engine that can run it, or without what building needs in the image;
 *   NOT_FOUND when there is no such image; INTERRUPTED
 */
export async function openBuilderContainer(
  choice: BuilderChoice,
  options: BuilderOptions,
): Promise<BuilderContainer> {
  await mkdir(options.temporary, { recursive: true });
  await sweepTemporaries(options.temporary);
  const reasons: string[] = [];
  for (const engine of choice.engine === undefined ? builderEngines : [choice.engine]) {
    const program = await findProgram(engine);
    if (program === undefined) {
      if (choice.engine !== undefined) reasons.push(`${engine} is not installed`);
      continue;
    }
    try {
      return await openWith(engine, program, choice, options);
    } catch (error) {
      stopIfAborted(options.signal);
      if (!(error instanceof EngineTrouble)) throw error;
      reasons.push(`${engine}: ${error.message}`);
    }
  }
  throw new SpacktainersError(
    reasons.length === 0 ? "RUNTIME_MISSING" : "NOT_FOUND",
    reasons.length === 0
      ? "no Podman, Docker, Buildah or Apptainer is installed, one of which runs the builder image"
      : `the builder image ${choice.image} cannot be run: ${reasons.join("; ")}`,
    {
      place: choice.place,
      hint:
        reasons.length === 0
          ? "apt-get install podman"
          : "`spacktainers base build` makes the image `local_builder`",
    },
  );
}

/** An engine cannot run the image; another one may. */
class EngineTrouble extends Error {}

const namePrefix = `spacktainers-builder-${hostTag.toLowerCase()}-`;
let count = 0;

/** A name for a container, by which it is known to whom it belongs. */
function containerName(): string {
  count++;
  return `${namePrefix}${process.pid}-${count}`;
}

async function openWith(
  engine: BuilderEngine,
  program: string,
  choice: BuilderChoice,
  options: BuilderOptions,
): Promise<BuilderContainer> {
  const { image } = choice;
  await removeLeftovers(engine, program);
  const found = await findImage(engine, program, image, options);
  const isApptainer = engine === "apptainer" || engine === "singularity";
  const behind = engine === "podman" || engine === "docker" ? await engineBehind(engine, program) : undefined;
  const { name, home } = ownIdentity();
  const user =
    behind === undefined
      ? []
      : await engineUserOptions(behind, program, {
          user: ownIdentity(),
          fakeroot: false,
          env: new Map([["HOME", home]]),
          extraEnv: new Map(),
          binds: [{ source: options.home, target: options.home, readOnly: false }],
        });
  const wrap = (command: InnerCommand) =>
    engineCommand(
      {
        engine,
        program,
        reference: found.reference,
        name: containerName(),
        binds: builderBinds(options, command.paths ?? []),
        temporary: options.temporary,
        user,
      },
      { ...command, env: { USER: name, LOGNAME: name, PATH: innerPath, HOME: options.home, ...command.env } },
    );
  const close = async (): Promise<void> => {
    if (engine === "buildah") await runTool([program, "rm", found.reference]);
  };
  try {
    const python = await askInside(wrap, image, options);
    return {
      engine,
      image,
      id: found.id,
      python,
      isBelow: behind !== "docker",
      isShared: isApptainer,
      wrap,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What building needs of the image. */
async function askInside(
  wrap: BuilderContainer["wrap"],
  image: string,
  { home, signal, needs = "packages" }: BuilderOptions,
): Promise<Python> {
  const mark = "-- python --";
  const question = `${needs === "packages" ? toolsScript : ""}
echo '${mark}'
for python in /usr/bin/python3 python3; do "$python" -I -S -c "$1" 2>/dev/null && break; done
exit 0`;
  const { argv, variables } = wrap({
    argv: ["/bin/sh", "-c", question, "sh", pythonQuestion],
    env: {},
    cwd: home,
  });
  const answer = await runTool(argv, {
    env: { ...process.env, ...variables },
    timeout: 300_000,
    ...(signal === undefined ? {} : { signal }),
  });
  const [tools = "", rest] = answer.stdout.split(`${mark}\n`);
  if (answer.status !== 0 || rest === undefined)
    throw new EngineTrouble(lastLine(answer.stderr) || lastLine(answer.stdout) || `status ${answer.status}`);
  const missing = missingTools(tools, `in the builder image ${image}`);
  if (missing !== undefined) throw missing;
  if (needs === "shell" && rest.trim() === "")
    return { executable: "/usr/bin/python3", version: [0, 0, 0], machine: "", glibc: undefined };
  const python = rest.trim() === "" ? undefined : readPython(lastLine(rest), "/usr/bin/python3");
  if (python === undefined || isTooOld(python))
    throw new SpacktainersError(
      "RUNTIME_MISSING",
      python === undefined
        ? `the builder image ${image} has no python3, which Spack needs`
        : `the Python of the builder image ${image} is too old for Spack: ${python.version.join(".")}`,
      { hint: "on Debian and Ubuntu: apt-get install python3" },
    );
  return python;
}

interface FoundImage {
  readonly reference: string;
  readonly id: string;
}

async function findImage(
  engine: BuilderEngine,
  program: string,
  image: string,
  options: BuilderOptions,
): Promise<FoundImage> {
  switch (engine) {
    case "podman":
    case "docker":
      return engineImage(engine, program, image, options);
    case "buildah":
      return buildahImage(program, image, options);
    case "apptainer":
    case "singularity":
      return apptainerImage(program, image, options);
  }
}

/** Whether an image is a file or folder of this machine. */
function isPath(image: string): boolean {
  return (image.startsWith("/") || image.startsWith("./") || image.startsWith("../")) && existsSync(image);
}

const isLayout = (path: string): boolean => existsSync(join(path, "oci-layout"));

/** Buildah runs commands in a container that is made beforehand. */
async function buildahImage(
  program: string,
  image: string,
  { temporary, signal }: BuilderOptions,
): Promise<FoundImage> {
  const name = containerName();
  // Of a path Buildah makes a name, which must be in small letters: it gets one of ours.
  const folder = temporaryPath(temporary);
  await mkdir(folder);
  try {
    if (isPath(image)) await symlink(image, join(folder, "image"));
    const source = isPath(image) ? `${isLayout(image) ? "oci" : "oci-archive"}:image` : image;
    const made = await runTool([program, "from", "--pull=missing", `--name=${name}`, source], {
      cwd: folder,
      ...(signal === undefined ? {} : { signal }),
    });
    if (made.status !== 0) throw new EngineTrouble(lastLine(made.stderr));
    const asked = await runTool([program, "inspect", "--format", "{{.FromImageID}}", name]);
    return { reference: name, id: asked.stdout.trim() };
  } finally {
    await removeIfPossible(folder);
  }
}

async function engineImage(
  engine: "podman" | "docker",
  program: string,
  image: string,
  { temporary, emit, signal }: BuilderOptions,
): Promise<FoundImage> {
  const context = { program, scratch: temporary, emit, ...(signal === undefined ? {} : { signal }) };
  const reference = isPath(image)
    ? await importPath(engine, image, context)
    : await inStore(engine, program, image, { emit, signal });
  const asked = await runTool([program, "image", "inspect", "--format", "{{.Id}}", reference], {
    timeout: 60_000,
  });
  if (asked.status !== 0) throw new EngineTrouble(lastLine(asked.stderr));
  return { reference, id: asked.stdout.trim() };
}

/** Brings an OCI layout or archive into the engine's store. */
async function importPath(
  engine: "podman" | "docker",
  path: string,
  context: ImportContext,
): Promise<string> {
  const query = { platforms: [{ os: "linux", architecture: hostArchitecture() }], reference: undefined };
  if ((await stat(path)).isDirectory() && !isLayout(path))
    throw new EngineTrouble("it does not run directories; Apptainer does");
  if (path.endsWith(".sif")) throw new EngineTrouble("it does not run SIF files; Apptainer does");
  const opened = await (isLayout(path) ? openLayout(path, query) : openOciArchive(path, query));
  try {
    return await importImage(engine, opened, context);
  } finally {
    await opened.close();
  }
}

/** An image of the engine's store; one with a registry in its name is fetched once. */
async function inStore(
  engine: "podman" | "docker",
  program: string,
  image: string,
  { emit, signal }: Pick<BuilderOptions, "emit" | "signal">,
): Promise<string> {
  const known = await runTool([program, "image", "inspect", "--format", "{{.Id}}", image], {
    timeout: 60_000,
  });
  if (known.status === 0) return image;
  // A name without a registry is one of ours: nobody else's of that name is meant.
  if (!image.includes("/")) throw new EngineTrouble(`it has no image ${image}`);
  const pulled = await runTask(emit, { kind: "pull", label: image, subject: image, signal }, () =>
    runTool([program, "pull", "--quiet", image], signal === undefined ? {} : { signal }),
  );
  if (pulled.status !== 0) throw new EngineTrouble(lastLine(pulled.stderr) || `${engine} cannot fetch it`);
  return image;
}

/** Apptainer takes image files of its own and directories; from anything else a file is made, once. */
async function apptainerImage(
  program: string,
  image: string,
  { home, emit, signal }: BuilderOptions,
): Promise<FoundImage> {
  const facts = isPath(image) ? await stat(image) : undefined;
  const key = hexOfDigest(digestOf(JSON.stringify([image, facts?.size, facts?.mtimeMs]))).slice(0, 32);
  const isOwn = facts?.isDirectory() === true ? !isLayout(image) : image.endsWith(".sif");
  if (facts !== undefined && isOwn) return { reference: image, id: key };
  if (facts === undefined && !image.includes("/"))
    throw new EngineTrouble(`${image} is neither a file nor a reference with a registry`);
  const folder = join(home, "builders");
  const file = join(folder, `${key}.sif`);
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    const unfinished = temporaryPath(folder);
    const kind = facts === undefined ? "docker://" : isLayout(image) ? "oci:" : "oci-archive:";
    const source = `${kind}${image}`;
    const made = await runTask(emit, { kind: "pull", label: image, subject: image, signal }, () =>
      runTool([program, "--silent", "build", unfinished, source], {
        ...(signal === undefined ? {} : { signal }),
      }),
    );
    if (made.status !== 0) {
      await rm(unfinished, { force: true });
      throw new EngineTrouble(lastLine(made.stderr) || `status ${made.status}`);
    }
    await rename(unfinished, file);
  }
  return { reference: file, id: key };
}

/** Removes containers of ours whose process is gone: it was killed. */
async function removeLeftovers(engine: BuilderEngine, program: string): Promise<void> {
  if (engine === "apptainer" || engine === "singularity") return;
  const list =
    engine === "buildah"
      ? ["containers", "--format", "{{.ContainerName}}"]
      : ["ps", "--all", "--filter", `name=${namePrefix}`, "--format", "{{.Names}}"];
  const { stdout } = await runTool([program, ...list], { timeout: 60_000 });
  for (const line of stdout.split("\n")) {
    const name = line.trim();
    const pid = name.startsWith(namePrefix)
      ? Number(name.slice(namePrefix.length).split("-")[0])
      : Number.NaN;
    if (Number.isInteger(pid) && !processIsAlive(pid))
      await runTool([program, "rm", ...(engine === "buildah" ? [] : ["--force"]), name], { timeout: 60_000 });
  }
}
