/** Which distribution a root file system is of. */
import type { Inventory } from "../archive/inventory.ts";

/** Where `os-release` is, best first (os-release(5)). */
export const osReleasePaths = ["etc/os-release", "usr/lib/os-release"] as const;

/** A distribution in the words of its `os-release`. */
export interface OsRelease {
  /** `ID`, such as `debian`. */
  readonly id: string;
  /** `VERSION_ID`, such as `12`. */
  readonly versionId: string | undefined;
  /** `VERSION_CODENAME`, such as `bookworm`. */
  readonly codename: string | undefined;
}

/** Reads the text of an `os-release`; undefined when it names no distribution. */
export function parseOsRelease(text: string): OsRelease | undefined {
  const values = new Map<string, string>();
  for (const line of text.slice(0, 64 * 1024).split("\n")) {
    const match = /^([A-Z_]{1,64})=(?:"([^"]{0,512})"|'([^']{0,512})'|([^\s"']{0,512}))\s*$/.exec(line);
    if (match?.[1] !== undefined) values.set(match[1], match[2] ?? match[3] ?? match[4] ?? "");
  }
  const word = (key: string): string | undefined => {
    const value = values.get(key);
    return value !== undefined && /^[A-Za-z0-9._-]{1,64}$/.test(value) ? value : undefined;
  };
  const id = word("ID");
  return id === undefined
    ? undefined
    : { id, versionId: word("VERSION_ID"), codename: word("VERSION_CODENAME") };
}

/** The distribution of a base, as its inventory keeps it; undefined when it does not. */
export function osReleaseOf({ entries }: Inventory): OsRelease | undefined {
  for (const path of osReleasePaths) {
    const text = entries.find((entry) => entry.path === path)?.text;
    const release = text === undefined ? undefined : parseOsRelease(text);
    if (release !== undefined) return release;
  }
  return undefined;
}
