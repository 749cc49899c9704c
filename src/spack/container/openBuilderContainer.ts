/** Opening a builder image: which engine runs it here, under which name it knows the image, and whether packages can be built in it. */
import { mkdir } from "node:fs/promises";
import type { BuilderEngine } from "../../definitions/executorNames.ts";
import { engineBehind, engineUserOptions } from "../../run/engineUser.ts";
import { ownIdentity } from "../../run/identity.ts";
import { sweepTemporaries } from "../../util/atomicFile.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { processIsAlive } from "../../util/processes.ts";
import { hostEnvironment } from "../../util/surroundings.ts";
import { findProgram, lastLine, runTool } from "../../util/tool.ts";
import { missingTools, toolsScript } from "../hostTools.ts";
import { isTooOld, type Python, parsePythonAnswer, pythonQuestion } from "../python.ts";
import {
  type BuilderContainer,
  type BuilderPlaces,
  builderBinds,
  type InnerCommand,
} from "./builderContainer.ts";
import { containerName, EngineTrouble, findBuilderImage, namePrefix } from "./builderImage.ts";
import { engineCommand, innerPath } from "./engineCommands.ts";

/** Which image, and what runs it. */
export interface BuilderChoice {
  /** A reference; or the path of a SIF file, an OCI layout, an OCI archive or a directory with a root. */
  readonly image: string;
  /** The first of these that is here and can run it. At least one. */
  readonly engines: readonly BuilderEngine[];
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
  for (const engine of choice.engines) {
    const program = await findProgram(engine);
    if (program === undefined) {
      if (choice.engines.length === 1) reasons.push(`${engine} is not installed`);
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
      ? `none of ${choice.engines.join(", ")} is installed, one of which runs the builder image`
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

async function openWith(
  engine: BuilderEngine,
  program: string,
  choice: BuilderChoice,
  options: BuilderOptions,
): Promise<BuilderContainer> {
  const { image } = choice;
  await removeLeftovers(engine, program);
  const found = await findBuilderImage(engine, program, image, options);
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
      digest: found.digest,
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
    env: { ...hostEnvironment(), ...variables },
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
  const python = rest.trim() === "" ? undefined : parsePythonAnswer(lastLine(rest), "/usr/bin/python3");
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

/** Removes containers that spacktainers started and whose process is gone: it was killed. */
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
