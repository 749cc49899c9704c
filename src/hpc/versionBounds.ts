/** Ranges of versions as sites write them: `3.1:3.4`, `:1.19`, `4:`. Both ends are included, with all that begins like them. */
import { compareLibcVersions } from "../base/libc.ts";

export interface VersionBounds {
  readonly low: string | undefined;
  readonly high: string | undefined;
  /** As written. */
  readonly text: string;
}

/** Reads a range that the schema has let through. One version means itself and all that begins like it. */
export function parseVersionBounds(text: string): VersionBounds {
  const [low = "", high] = text.split(":");
  return {
    low: low === "" ? undefined : low,
    high: high === undefined ? low : high === "" ? undefined : high,
    text,
  };
}

/** Whether a version is in the range: `3.4.3` is in `:3.4`. Letters at its end (`4.0rc1`) do not count. */
export function withinBounds(version: string, { low, high }: VersionBounds): boolean {
  const numbers = /^\d+(?:\.\d+)*/.exec(version)?.[0] ?? "0";
  const shortened = (length: number): string => numbers.split(".").slice(0, length).join(".");
  if (low !== undefined && compareLibcVersions(numbers, low) < 0) return false;
  return high === undefined || compareLibcVersions(shortened(high.split(".").length), high) <= 0;
}
