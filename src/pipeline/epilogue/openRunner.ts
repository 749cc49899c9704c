/** What runs the commands of an epilogue on this machine. */
import { join } from "node:path";
import type { EpilogueConfiguration } from "../../definitions/configuration.ts";
import type { CommandMount, CommandRunner } from "../../dockerfile/commandRunner.ts";
import { engineRunner } from "../../dockerfile/engineRunner.ts";
import { sandboxRunner } from "../../dockerfile/sandboxRunner.ts";
import { namespacesTrouble, sandboxTrouble } from "../../run/commandSandbox.ts";
import { executionOf } from "../../run/emulator.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { SpacktainersError } from "../../util/errors.ts";

/**
 * Opens what runs commands: what is configured, else our own sandbox where the machine lets us, else Buildah, else Podman.
 *
 * @throws SpacktainersError RUNTIME_MISSING: nothing can, or the machine cannot run programs of the image's architecture
 */
export async function openRunner(
  wanted: EpilogueConfiguration["runner"],
  architecture: "amd64" | "arm64",
  signal: AbortSignal | undefined,
): Promise<CommandRunner> {
  const mounts = await emulatorMounts(architecture);
  const { name, run } = await chooseRunner(wanted, signal);
  return { name, run: (command) => run({ ...command, mounts: [...command.mounts, ...mounts] }) };
}

async function chooseRunner(
  wanted: EpilogueConfiguration["runner"],
  signal: AbortSignal | undefined,
): Promise<CommandRunner> {
  if (wanted === "buildah" || wanted === "podman") {
    const runner = await engineRunner(wanted, signal);
    if (runner !== undefined) return runner;
    throw new SpacktainersError(
      "RUNTIME_MISSING",
      `${wanted}, which the configuration names to run the epilogue, is not installed`,
      {
        hint: "leave out `epilogue: runner:` to use what is installed",
      },
    );
  }
  const trouble = (await sandboxTrouble()) ?? (await namespacesTrouble());
  if (trouble === undefined) return sandboxRunner({ directory: join(cacheHome(), "buildroot"), signal });
  if (wanted === "auto")
    for (const engine of ["buildah", "podman"] as const) {
      const runner = await engineRunner(engine, signal);
      if (runner !== undefined) return runner;
    }
  throw new SpacktainersError(
    "RUNTIME_MISSING",
    `no program on this machine can run the commands of an epilogue: ${trouble}`,
    {
      hint: "install Buildah or Podman, or ask the administrator to allow user namespaces",
    },
  );
}

/**
 * What commands for another architecture need beside the image: the emulator by which the kernel starts them, unless the kernel holds
 * it open.
 */
async function emulatorMounts(architecture: "amd64" | "arm64"): Promise<readonly CommandMount[]> {
  const execution = await executionOf(architecture);
  if (execution.kind === "native") return [];
  if (execution.kind === "impossible")
    throw new SpacktainersError(
      "RUNTIME_MISSING",
      `the epilogue runs commands, and this machine cannot run programs for ${architecture}`,
      { hint: execution.hint },
    );
  const { path, isFixed } = execution.emulator;
  return isFixed ? [] : [{ source: path, target: path, isFile: true, readOnly: true, size: undefined }];
}
