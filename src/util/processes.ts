/** Who works on a file that several machines and processes may share: the host and the process, and whether it is alive. */
import { readFileSync } from "node:fs";
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

/**
 * When a process of this machine was started, in the kernel's ticks since it booted: numbers of processes come back. `-` where that
 * cannot be seen; undefined for one that has ended, though whoever started it may not have noticed.
 */
export function startOfProcess(pid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return "-";
  }
  // Its name may have anything in it, so that only what follows can be counted (proc(5): the state is the 3rd field, this the 22nd).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : (fields[19] ?? "-");
}

/** Whether a process of this machine is the one that was started then, and there. */
export function isSameProcess(pid: number, start: string): boolean {
  if (!processIsAlive(pid)) return false;
  const found = startOfProcess(pid);
  return found !== undefined && (found === start || found === "-" || start === "-");
}
