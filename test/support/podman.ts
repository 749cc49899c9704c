import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandExists } from "./commandExists.ts";

/**
 * Environment in which Podman works on machines that forbid it some things: root without the right to raise limits, control groups of
 * both versions at once. Its store is in `folder`. Users' machines need none of this.
 *
 * @returns variables for Podman, Buildah and Skopeo
 */
export function podmanEnvironment(folder: string): NodeJS.ProcessEnv {
  mkdirSync(folder, { recursive: true });
  const crun = join(folder, "crun-nh");
  writeFileSync(
    crun,
    `#!/bin/sh
# crun refuses machines with control groups of both versions: hide the second version from it, and from it alone.
exec unshare -m sh -c 'mount -t tmpfs none /sys/fs/cgroup/unified 2>/dev/null; exec crun "$@"' crun "$@"
`,
  );
  chmodSync(crun, 0o755);
  const limit = (name: string): string => {
    const line =
      readFileSync("/proc/self/limits", "utf8")
        .split("\n")
        .find((text) => text.startsWith(name)) ?? "";
    const hard = line.slice(name.length).trim().split(/\s+/)[1] ?? "1024";
    return hard === "unlimited" ? "1048576" : hard;
  };
  const open = Math.min(Number(limit("Max open files")), 20_000);
  const containers = join(folder, "containers.conf");
  writeFileSync(
    containers,
    `[containers]
default_ulimits = ["nofile=${open}:${open}", "nproc=${Math.min(Number(limit("Max processes")), 32_768)}:${Math.min(Number(limit("Max processes")), 32_768)}"]
[engine]
runtime = "crun-nh"
runtime_supports_nocgroups = ["crun", "crun-nh"]
runtime_supports_json = ["crun", "crun-nh"]
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
crun-nh = ["${crun}"]
`,
  );
  const storage = join(folder, "storage.conf");
  writeFileSync(
    storage,
    `[storage]
driver = "overlay"
graphroot = "${folder}/storage"
runroot = "${folder}/run"
rootless_storage_path = "${folder}/storage"
`,
  );
  return { CONTAINERS_CONF: containers, CONTAINERS_STORAGE_CONF: storage };
}

/** Why Podman cannot be used by tests here, or undefined. */
export function podmanTrouble(): string | undefined {
  if (spawnSync("podman", ["--version"]).status !== 0) return "Podman is not installed";
  // The tests' set-up names it.
  if (!commandExists("crun")) return "crun is not installed";
  if (!commandExists("conmon")) return "conmon is not installed";
  if (process.getuid?.() !== 0) return "the tests' set-up of Podman is for root";
  return undefined;
}
