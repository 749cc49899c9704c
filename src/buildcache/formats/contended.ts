import { setTimeout as sleep } from "node:timers/promises";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { stopIfAborted } from "../../util/interruption.ts";

/** Attempts, and the longest pause between two, in milliseconds: enough for some dozens that write at once. */
const mostAttempts = 200;
const longestPause = 2000;

/**
 * Repeats something until nobody else interfered: an action that reads, changes, and writes if unchanged.
 *
 * @param attempt gives undefined when another was first
 * @throws SpacktainersError LOCK_BUSY when others are first all the time; what `attempt` throws
 */
export async function untilAlone<T>(
  attempt: () => Promise<T | undefined>,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempts = 1; attempts <= mostAttempts; attempts++) {
    stopIfAborted(signal);
    const result = await attempt();
    if (result !== undefined) return result;
    // Those who came at the same time do not come back at the same time.
    await sleep(Math.random() * Math.min(longestPause, 20 * 1.5 ** attempts));
  }
  throw new SpacktainersError("LOCK_BUSY", "other processes keep changing this file", {
    place,
    hint: "try again when fewer others write to the cache",
  });
}
