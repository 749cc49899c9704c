/** What of this machine Spack needs, and what of it is not there. */
import { SpacktainersError } from "../util/errors.ts";
import { findProgram, runTool } from "../util/tool.ts";

/** A program that is needed. */
interface NeededProgram {
  /** One of these will do. */
  readonly programs: readonly string[];
  /** The Debian package that has it. */
  readonly debian: string;
}

/** What unpacking, patching and building recipes take for granted. */
const needed: readonly NeededProgram[] = [
  { programs: ["git"], debian: "git" },
  { programs: ["gcc", "cc", "clang"], debian: "gcc" },
  { programs: ["g++", "c++", "clang++"], debian: "g++" },
  { programs: ["make"], debian: "make" },
  { programs: ["patch"], debian: "patch" },
  { programs: ["tar"], debian: "tar" },
  { programs: ["gzip"], debian: "gzip" },
  { programs: ["bzip2"], debian: "bzip2" },
  { programs: ["xz"], debian: "xz-utils" },
  { programs: ["unzip"], debian: "unzip" },
  { programs: ["file"], debian: "file" },
];

const headers = `
#include <stdio.h>
#include <stdlib.h>
int main(void) { return 0; }
`;

/**
 * Checks that packages can be built on this machine.
 *
 * @param path folders to look in, for tests
 * @throws SpacktainersError RUNTIME_MISSING naming everything that is missing, and the Debian packages that have it
 */
export async function requireBuildTools(path?: string): Promise<void> {
  const missing: string[] = [];
  const packages: string[] = [];
  let compiler: string | undefined;
  for (const { programs, debian } of needed) {
    let found: string | undefined;
    for (const program of programs) found ??= await findProgram(program, path);
    if (debian === "gcc") compiler = found;
    if (found !== undefined) continue;
    missing.push(programs[0] ?? "");
    packages.push(debian);
  }
  if (compiler !== undefined) {
    const input = async function* () {
      yield Buffer.from(headers);
    };
    const tried = await runTool([compiler, "-x", "c", "-fsyntax-only", "-"], {
      input: input(),
      timeout: 60_000,
    });
    if (tried.status !== 0) {
      missing.push("the C library's headers");
      packages.push("libc6-dev");
    }
  }
  if (missing.length > 0)
    throw new SpacktainersError(
      "RUNTIME_MISSING",
      `packages cannot be built here without ${missing.join(", ")}`,
      {
        hint: `on Debian and Ubuntu: apt-get install ${packages.join(" ")}`,
      },
    );
}
