/** The time, as something that can be passed in: what depends on it can then be tried on another day. */
import { stat } from "node:fs/promises";

/** Milliseconds since 1970. */
export type Clock = () => number;

/** The machine's own clock. */
export const systemClock: Clock = () => Date.now();

/**
 * How long ago a file (or directory) was written, in milliseconds; infinite when it is not there, and negative when its
 * time is in the future, as it is after the clock was set back.
 */
export async function ageOfFile(path: string, clock: Clock = systemClock): Promise<number> {
  return stat(path).then(
    (facts) => clock() - facts.mtimeMs,
    () => Number.POSITIVE_INFINITY,
  );
}
