import { readFile } from "node:fs/promises";
import { SpacktainersError } from "../util/errors.ts";
import { hostPath } from "../util/hostPath.ts";
import { findProgram, lastLine, runTool } from "../util/tool.ts";
import type { NamespaceAbilities } from "./namespaceStart.ts";

/** Switches of the kernel that forbid what we need, and the value that does. */
const switches = [
  {
    file: "/proc/sys/user/max_user_namespaces",
    forbids: "0",
    name: "user.max_user_namespaces",
    wanted: "15000",
  },
  {
    file: "/proc/sys/kernel/unprivileged_userns_clone",
    forbids: "0",
    name: "kernel.unprivileged_userns_clone",
    wanted: "1",
  },
  {
    file: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    forbids: "1",
    name: "kernel.apparmor_restrict_unprivileged_userns",
    wanted: "0",
  },
] as const;

/** Tries whether a stack of directories can be mounted, in namespaces like those of a container. */
const question = `
mount -t tmpfs tmpfs /proc || exit 3
mkdir /proc/a /proc/u /proc/w /proc/r || exit 3
o=lowerdir=/proc/a,upperdir=/proc/u,workdir=/proc/w
mount -t overlay -o $o,userxattr overlay /proc/r || mount -t overlay -o $o overlay /proc/r || exit 0
echo overlay
`;

/**
 * Finds out what the kernel lets us do.
 *
 * @throws SpacktainersError RUNTIME_MISSING: no user namespaces for us here, or the programs `unshare` and `mount` are missing; the hint
 *   names the setting that forbids it, if one does
 */
export async function namespaceAbilities(network: "host" | "none"): Promise<NamespaceAbilities> {
  for (const name of ["unshare", "nsenter", "mount", "chroot", "pivot_root"])
    if ((await findProgram(name)) === undefined)
      throw new SpacktainersError(
        "RUNTIME_MISSING",
        `to run containers without a container runtime, the program ${name} is needed`,
        {
          hint: "install util-linux, or Podman or Apptainer",
        },
      );
  const options = network === "none" ? ["-n"] : [];
  const result = await runTool(["unshare", "-U", "-r", "-m", ...options, "sh", "-c", question], {
    env: { PATH: hostPath(), LC_ALL: "C" },
  });
  if (result.status === 0) return { overlay: result.stdout.includes("overlay"), processNumbers: true };
  throw new SpacktainersError(
    "RUNTIME_MISSING",
    `without a container runtime, users must be allowed to make namespaces; here they are not (${lastLine(result.stderr)})`,
    { hint: await advice() },
  );
}

async function advice(): Promise<string> {
  for (const { file, forbids, name, wanted } of switches) {
    const value = await readFile(file, "utf8").catch(() => "");
    if (value.trim() === forbids)
      return `ask for sysctl ${name}=${wanted} (it is ${forbids}), or install Podman or Apptainer`;
  }
  return "inside a container, start that with user namespaces allowed (for example --security-opt seccomp=unconfined), or install Podman or Apptainer";
}
