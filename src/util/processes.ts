/** Who works on a file that several machines and processes may share: the host and the process, and whether it is alive. */
import { hostname } from "node:os";

/** This machine's name as part of file names: letters, digits, `-` and `_`. */
export const hostTag: string = hostname()
  .slice(0, 64)
  .replaceAll(/[^A-Za-z0-9-]/g, "_");

/** Whether a process of this machine is there, whoever it belongs to. False for what cannot be a process number. */
export function processIsAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid > 0x7fff_ffff) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not allowed to signal it: it is another user's. (/proc may hide those, and is not everywhere.)
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
