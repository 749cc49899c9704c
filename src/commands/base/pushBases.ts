import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { publishTarget } from "../../publish/targets.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { lastLine, runTool } from "../../util/tool.ts";
import { type BaseImageName, type BuildTool, findBuildTool, localTag } from "./baseImage.ts";

/** A command line of `base push`. */
export interface PushBasesCommand {
  readonly directory: string;
  readonly images: readonly BaseImageName[];
  readonly arch: "amd64" | "arm64";
  readonly tool: BuildTool | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** An image that was published. */
export interface PushedBase {
  readonly name: BaseImageName;
  /** `host/repository:tag`. */
  readonly reference: string;
}

/**
 * Publishes the builder and runtime images of this machine to every configured registry: as `builder` and `runtime`, named by the
 * registry's own pattern. The program that made them sends them, with the credentials that it knows (`podman login`).
 *
 * @throws SpacktainersError CONFIG_INVALID (no registries), RUNTIME_MISSING, PROCESS_FAILED, INTERRUPTED
 */
export async function pushBases(command: PushBasesCommand): Promise<readonly PushedBase[]> {
  const { configuration } = await openSoundRepository(command.directory);
  if (configuration.registries.length === 0)
    throw new SpacktainersError("CONFIG_INVALID", "no registries are configured", {
      hint: "name them with `registries:` in spacktainers.yaml",
    });
  const tool = await findBuildTool(command.tool);
  const pushed: PushedBase[] = [];
  for (const name of command.images)
    for (const registry of configuration.registries) {
      const { host, repository, scheme } = publishTarget(registry, { name, arch: command.arch }, {});
      const reference = `${host}/${repository.path}:latest`;
      await runTask(command.emit, { kind: "push", label: reference, subject: reference }, async () => {
        for (const argv of pushCommands(tool, name, reference, scheme === "http")) {
          const { status, stderr } = await runTool(argv, { signal: command.signal });
          if (command.signal.aborted) throw new SpacktainersError("INTERRUPTED", "interrupted while pushing");
          if (status !== 0)
            throw new SpacktainersError(
              "PROCESS_FAILED",
              `${tool} could not push ${reference}: ${lastLine(stderr)}`,
              {
                hint: `is the image made (\`spacktainers base build ${name}\`), and are you logged in (\`${tool} login ${host}\`)?`,
              },
            );
        }
      });
      pushed.push({ name, reference });
    }
  return pushed;
}

/** The command lines that send an image. */
export function pushCommands(
  tool: BuildTool,
  name: BaseImageName,
  reference: string,
  isPlain: boolean,
): readonly (readonly [string, ...string[]])[] {
  const local = localTag(name);
  if (tool === "docker")
    return [
      ["docker", "tag", local, reference],
      ["docker", "push", reference],
    ];
  // Docker's format: ONBUILD has no place in the other.
  return [
    [
      tool,
      "push",
      "--format=v2s2",
      ...(isPlain ? ["--tls-verify=false"] : []),
      local,
      `docker://${reference}`,
    ],
  ];
}
