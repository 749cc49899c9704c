import { SpacktainersError } from "./errors.ts";

/**
 * Does nothing until the work is to stop.
 * @throws INTERRUPTED when the signal is aborted; the signal's own reason when that is a SpacktainersError
 */
export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  if (signal.reason instanceof SpacktainersError) throw signal.reason;
  throw new SpacktainersError("INTERRUPTED", "interrupted");
}
