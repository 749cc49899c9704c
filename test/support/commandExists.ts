import { spawnSync } from "node:child_process";

/** Whether a program is installed on this machine. */
export function commandExists(name: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", name], { stdio: "ignore" }).status === 0;
}
