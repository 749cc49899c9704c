import { runInSandbox, type SandboxContext, type SandboxMount } from "../run/commandSandbox.ts";
import type { CommandMount, CommandRunner } from "./commandRunner.ts";
import { missingPlaces } from "./missingPlaces.ts";

/** Runs commands in namespaces of our own; see `runInSandbox`. */
export function sandboxRunner(context: SandboxContext): CommandRunner {
  return {
    name: "namespaces",
    run(command) {
      const mounts = command.mounts.filter(({ target }) => !target.startsWith("/dev/shm"));
      const { directories, files } = missingPlaces(command, mounts);
      return runInSandbox({ ...command, directories, files, mounts: mounts.map(sandboxMount) }, context);
    },
  };
}

function sandboxMount({ source, target, readOnly, size }: CommandMount): SandboxMount {
  const path = target.slice(1);
  if (source !== undefined) return { source, path, options: readOnly ? "ro" : "rw" };
  return { source, path, options: `mode=0755,nosuid,nodev${size === undefined ? "" : `,size=${size}`}` };
}
