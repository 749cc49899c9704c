/** A small file system of its own, for tests of full disks. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";

export interface SmallDisk {
  /** Changes its size. */
  resize(bytes: number): void;
  unmount(): void;
}

/** Why no small disk can be mounted here, or undefined. */
export function smallDiskTrouble(): string | undefined {
  if (process.getuid?.() !== 0) return "mounting a small disk needs root";
  const tried = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"]);
  return tried.status === 0 ? undefined : "a tmpfs cannot be mounted here";
}

/** Mounts a tmpfs of a size in bytes on a directory, which is made. */
export function mountSmallDisk(directory: string, bytes: number): SmallDisk {
  mkdirSync(directory, { recursive: true });
  const mount = (options: string): void => {
    const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "none", directory]);
    if (status !== 0) throw new Error(`mount: ${stderr}`);
  };
  mount(`size=${bytes}`);
  return {
    resize: (more) => mount(`remount,size=${more}`),
    unmount: () => void spawnSync("umount", ["-l", directory]),
  };
}
