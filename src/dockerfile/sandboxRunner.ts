import { dirname } from "node:path";
import { runInSandbox, type SandboxContext, type SandboxMount } from "../run/commandSandbox.ts";
import type { Command, CommandMount, CommandRunner } from "./commandRunner.ts";

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

/** What has to be made to mount on. What is below `/dev` is made once that is mounted. */
function missingPlaces(
  { kindOf }: Pick<Command, "kindOf">,
  mounts: readonly CommandMount[],
): { readonly directories: readonly string[]; readonly files: readonly string[] } {
  const directories = new Set<string>();
  const files = new Set<string>();
  const need = (path: string): void => {
    const missing: string[] = [];
    for (let at = path; at !== "/" && kindOf(at) === undefined; at = dirname(at))
      missing.unshift(at.slice(1));
    for (const one of missing) directories.add(one);
  };
  for (const path of ["/dev", "/proc", "/sys"]) need(path);
  for (const { target, isFile } of mounts) {
    if (target.startsWith("/dev/") || kindOf(target) !== undefined) continue;
    need(isFile ? dirname(target) : target);
    if (isFile) files.add(target.slice(1));
  }
  return { directories: [...directories], files: [...files] };
}
