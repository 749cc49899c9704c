import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";

/**
 * The time that is written into an image: `SOURCE_DATE_EPOCH` when set (the reproducible-builds.org specification), else
 * the newest of the times of what went in; never the clock.
 *
 * @param inputs seconds since 1970, such as the newest file's or a lock's; may be empty
 * @returns seconds since 1970
 * @throws SpacktainersError USAGE when the variable is not a whole number of seconds
 */
export function createdTime(inputs: readonly number[], env: NodeJS.ProcessEnv = hostEnvironment()): number {
  const wanted = env.SOURCE_DATE_EPOCH;
  if (wanted !== undefined && wanted !== "") {
    if (!/^[0-9]{1,11}$/.test(wanted))
      throw new SpacktainersError("USAGE", `SOURCE_DATE_EPOCH is ${JSON.stringify(wanted.slice(0, 40))}`, {
        hint: "it must be a number of seconds since 1970-01-01",
      });
    return Number(wanted);
  }
  return inputs.reduce((newest, time) => Math.max(newest, time), 0);
}

/** Seconds since 1970 as RFC 3339 in UTC, without fractions. */
export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d{3}Z$/, "Z");
}
