import { osReleasePaths, parseOsRelease } from "../../base/osRelease.ts";
import { readBounded } from "../../util/readBounded.ts";

/** Longest `os-release` that is read. */
const longestFile = 64 << 10;

/** A system by Spack's names, of the words of its `os-release`: `debian12`, `ubuntu24.04`, `rocky9`. */
export function systemName(text: string): string | undefined {
  const release = parseOsRelease(text);
  if (release === undefined) return undefined;
  const { id, versionId = "" } = release;
  const parts = versionId.split(/[^\w-]/);
  return id + (id.includes("ubuntu") ? parts.slice(0, 2).join(".") : (parts[0] ?? ""));
}

let known: Promise<string | undefined> | undefined;

/** The system of the machine that this program runs on, by Spack's names; undefined when it is not Linux, or does not say. */
export function machineSystem(): Promise<string | undefined> {
  known ??= readSystem();
  return known;
}

async function readSystem(): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  for (const path of osReleasePaths) {
    const bytes = await readBounded(`/${path}`, longestFile).catch(() => undefined);
    const name = bytes === undefined ? undefined : systemName(bytes.toString("utf8"));
    if (name !== undefined) return name;
  }
  return undefined;
}
