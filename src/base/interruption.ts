import { SpacktainersError } from "../util/errors.ts";

/** Throws INTERRUPTED when the work is to stop; the reason of the signal itself when it is an error of ours. */
export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  if (signal.reason instanceof SpacktainersError) throw signal.reason;
  throw new SpacktainersError("INTERRUPTED", "making the base was interrupted");
}
