import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Configuration } from "../../definitions/configuration.ts";
import { defaultRecipes } from "../../definitions/spackConfiguration.ts";
import { streamTool } from "../../dockerfile/streamTool.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { type BaseImageName, type BuildTool, findBuildTool, localTag } from "./baseImage.ts";

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
        hint: `copy the folder ${name} of Spacktainers to the root of the repository`,
      });
    const given = new Map([...baseArguments(name, configuration, command.arch), ...command.buildArguments]);
    const tag = localTag(name);
    const argv = buildCommand(tool, name, folder, given);
    await runTask(command.emit, { kind: "base", label: `${tag} by ${tool}`, subject: name }, async () => {
      let said = "";
      const status = await streamTool(argv, {
        onOutput: (chunk) => {
          said = (said + chunk.toString("utf8")).slice(-10_000);
          command.onOutput(chunk);
        },
        signal: command.signal,
      });
      if (status !== 0) {
        const lines = said.split("\n").filter((line) => line.trim() !== "");
        throw new SpacktainersError(
          "PROCESS_FAILED",
          `${tool} could not make ${tag}: ${lines.at(-1) ?? `status ${status}`}`,
          {
            place: { file: join(folder, "Dockerfile") },
          },
        );
      }
    });
    built.push({ name, tag, tool });
  }
  return built;
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

/** Arguments of an image's Dockerfile that the configuration decides. */
export function baseArguments(
  name: BaseImageName,
  { base, spack, platforms }: Pick<Configuration, "base" | "spack" | "platforms">,
  arch: "amd64" | "arm64",
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  if (base.kind === "image") values.set("BASE_IMAGE", base.reference);
  if (base.kind === "debian")
    values.set("BASE_IMAGE", `docker.io/library/${base.distribution}:${base.suite}`);
  if (name === "runtime") return values;
  const { source } = spack;
  if (source !== undefined) {
    values.set("SPACK_URL", source.url);
    const version = source.commit ?? source.ref;
    if (version !== undefined) values.set("SPACK_BRANCH", version);
  }
  const builtin = { ...defaultRecipes, paths: [defaultRecipes.path] };
  const repos = [builtin, ...spack.repos].flatMap(({ url, ref, commit, paths }) =>
    (paths.length === 0 ? [""] : paths).map(
      (path) => `${url}@${commit ?? ref ?? "HEAD"}:${path === "" ? "." : path}`,
    ),
  );
  values.set("REPOS", repos.join(" "));
  values.set("TARGET", platforms[arch].target ?? "");
  return values;
}
