import { dirname } from "node:path";
import type { Command, CommandMount } from "./commandRunner.ts";

/** Places that an image lacks for what is mounted in it: relative to its root, parents first. */
export interface MissingPlaces {
  readonly directories: readonly string[];
  readonly files: readonly string[];
}

/** What has to be made to mount on. What is below `/dev` is made once that is mounted. */
export function missingPlaces(
  { kindOf }: Pick<Command, "kindOf">,
  mounts: readonly CommandMount[],
): MissingPlaces {
  const directories = new Set<string>();
  const files = new Set<string>();
  const need = (path: string): void => {
    const missing: string[] = [];
    for (let at = path; at !== "/" && kindOf(at) === undefined; at = dirname(at))
      missing.unshift(at.slice(1));
    for (const one of missing) directories.add(one);
  };
  for (const path of ["/dev", "/proc", "/sys"]) need(path);
  for (const { target, isFile } of mounts) {
    if (target.startsWith("/dev/") || kindOf(target) !== undefined) continue;
    need(isFile ? dirname(target) : target);
    if (isFile) files.add(target.slice(1));
  }
  return { directories: [...directories], files: [...files] };
}
