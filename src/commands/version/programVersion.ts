import { readFileSync } from "node:fs";
import { hostGlibc } from "../../hpc/hostGlibc.ts";
import { packageFile } from "../../util/packageFile.ts";
import { toolVersion } from "../../util/toolVersion.ts";

/** Which program this is, and what it runs on. */
export interface ProgramVersion {
  readonly version: string;
  /** The commit of the sources that it was built from, 40 digits; undefined where they were changed, or not in git. */
  readonly commit: string | undefined;
  /** Without `v`. */
  readonly node: string;
  readonly platform: string;
  /** As Node calls it: `x64`, `arm64`. */
  readonly arch: string;
  /** `glibc 2.36`; undefined with another C library. */
  readonly libc: string | undefined;
}

/** What this process knows of itself. */
export function programVersion(): ProgramVersion {
  const glibc = hostGlibc();
  return {
    version: toolVersion(),
    commit: builtCommit(),
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    libc: glibc === undefined ? undefined : `glibc ${glibc}`,
  };
}

/** What `scripts/build.mjs` wrote beside the program. */
function builtCommit(): string | undefined {
  try {
    const { commit } = JSON.parse(readFileSync(packageFile("dist/built.json"), "utf8")) as {
      commit?: unknown;
    };
    return typeof commit === "string" && /^[0-9a-f]{40,64}$/.test(commit) ? commit : undefined;
  } catch {
    return undefined;
  }
}
