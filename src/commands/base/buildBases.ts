import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Configuration } from "../../definitions/configuration.ts";
import { streamTool } from "../../dockerfile/streamTool.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { type BaseImageName, type BuildTool, findBuildTool, localTag } from "./baseImage.ts";
import { builderContext } from "./builderContext.ts";
import { builderSources } from "./builderSources.ts";

/** A command line of `base build`. */
export interface BuildBasesCommand {
  readonly directory: string;
  readonly images: readonly BaseImageName[];
  readonly arch: "amd64" | "arm64";
  readonly tool: BuildTool | undefined;
  /** Over what the configuration says. */
  readonly buildArguments: ReadonlyMap<string, string>;
  readonly emit: EmitEvent;
  /** Takes what the program says. */
  readonly onOutput: (chunk: Buffer) => void;
  readonly signal: AbortSignal;
}

/** An image that was made. */
export interface BuiltBase {
  readonly name: BaseImageName;
  readonly tag: string;
  readonly tool: BuildTool;
}

/**
 * Makes the builder and runtime images, from the folders of the repository.
 *
 * @throws SpacktainersError NOT_FOUND (no such folder), RUNTIME_MISSING, PROCESS_FAILED, INTERRUPTED
 */
export async function buildBases(command: BuildBasesCommand): Promise<readonly BuiltBase[]> {
  const { root, configuration } = await openSoundRepository(command.directory);
  const tool = await findBuildTool(command.tool);
  const built: BuiltBase[] = [];
  for (const name of command.images) {
    const folder = join(root, name);
    if (!(await stat(join(folder, "Dockerfile")).catch(() => undefined))?.isFile())
      throw new SpacktainersError("NOT_FOUND", `the repository has no ${name} image`, {
        place: { file: join(folder, "Dockerfile") },
        hint: `copy the folder ${name} from the spacktainers package to the root of the repository`,
      });
    const sources = name === "builder" ? builderSources(configuration, command.arch) : undefined;
    const given = new Map([
      ...baseArguments(name, configuration, command),
      ...(sources?.arguments ?? []),
      ...command.buildArguments,
    ]);
    for (const { key, reason } of sources?.left ?? [])
      command.emit({
        type: "warning",
        code: "NOTICE",
        message: `the builder image is made without \`spack: ${key}\`: ${reason}`,
        place: configuration.placeOf(["spack", key]),
      });
    const tag = localTag(name);
    const context =
      sources === undefined
        ? undefined
        : await builderContext(folder, sources, { emit: command.emit, signal: command.signal });
    const argv = buildCommand(tool, name, context?.folder ?? folder, given);
    try {
      await makeImage(argv, { name, tool, folder, command });
    } finally {
      await context?.close();
    }
    built.push({ name, tag, tool });
  }
  return built;
}

/** Runs the program that makes an image. @throws SpacktainersError PROCESS_FAILED, INTERRUPTED */
async function makeImage(
  argv: readonly [string, ...string[]],
  {
    name,
    tool,
    folder,
    command,
  }: {
    readonly name: BaseImageName;
    readonly tool: BuildTool;
    readonly folder: string;
    readonly command: BuildBasesCommand;
  },
): Promise<void> {
  const tag = localTag(name);
  await runTask(command.emit, { kind: "base", label: `${tag} by ${tool}`, subject: name }, async () => {
    let said = "";
    const status = await streamTool(argv, {
      onOutput: (chunk) => {
        said = (said + chunk.toString("utf8")).slice(-10_000);
        command.onOutput(chunk);
      },
      signal: command.signal,
    });
    if (status === 0) return;
    const lines = said.split("\n").filter((line) => line.trim() !== "");
    throw new SpacktainersError(
      "PROCESS_FAILED",
      `${tool} could not make ${tag}: ${lines.at(-1) ?? `status ${status}`}`,
      { place: { file: join(folder, "Dockerfile") } },
    );
  });
}

/** The command line that makes an image. Docker's format keeps ONBUILD, which OCI's has no place for. */
export function buildCommand(
  tool: BuildTool,
  name: BaseImageName,
  folder: string,
  given: ReadonlyMap<string, string>,
): readonly [string, ...string[]] {
  const values = [...given].flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]);
  const verb = {
    podman: ["build", "--format=docker"],
    buildah: ["bud", "--format=docker"],
    docker: ["build"],
  }[tool];
  return [tool, ...verb, "--tag", localTag(name), "--file", join(folder, "Dockerfile"), ...values, folder];
}

/**
 * What lies underneath, as an argument of either Dockerfile. A base that no image can be made from (a folder, nothing) leaves the
 * Dockerfile's own, with a warning.
 */
export function baseArguments(
  name: BaseImageName,
  { base, placeOf }: Pick<Configuration, "base" | "placeOf">,
  { buildArguments, emit }: Pick<BuildBasesCommand, "buildArguments" | "emit">,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  if (base.kind === "image") values.set("BASE_IMAGE", base.reference);
  else if (base.kind === "debian") {
    values.set("BASE_IMAGE", `docker.io/library/${base.distribution}:${base.suite}`);
    if (name === "runtime" && base.packages !== undefined)
      values.set("MORE_PACKAGES", base.packages.join(" "));
  } else if (!buildArguments.has("BASE_IMAGE"))
    emit({
      type: "warning",
      code: "NOTICE",
      message: `${localTag(name)} starts from the image that its Dockerfile names, because the configured base is not an image`,
      place: placeOf(["base"]),
      hint: "name one: --build-arg BASE_IMAGE=IMAGE",
    });
  return values;
}
