/** The tools of this machine that Spack needs, and those that are missing. */
import { SpacktainersError } from "../util/errors.ts";
import { hostPath } from "../util/hostPath.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { runTool } from "../util/tool.ts";

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

/** What {@link toolsScript} prints in front of what it found missing. */
const missingWord = "missing ";

/** A shell script that tells what building packages lacks where it runs; {@link missingTools} reads its output. */
export const toolsScript = `
compiler=
${needed
  .map(({ programs, debian }) => {
    const found = programs
      .map(
        (program) => `command -v ${program} >/dev/null${debian === "gcc" ? ` && compiler=${program}` : ""}`,
      )
      .map((test) => `{ ${test}; }`)
      .join(" || ");
    return `${found} || echo '${missingWord}${programs[0] ?? ""} ${debian}'`;
  })
  .join("\n")}
if [ -n "$compiler" ]; then
  printf '${headers.trim().replaceAll("\n", "\\n")}\\n' | "$compiler" -x c -fsyntax-only - 2>/dev/null || echo '${missingWord}headers libc6-dev'
fi
`;

/** The error about what {@link toolsScript} said; undefined when nothing is missing. */
export function missingTools(output: string, where: string): SpacktainersError | undefined {
  const found = output.split("\n").flatMap((line) => {
    const [name, debian] = line.startsWith(missingWord) ? line.slice(missingWord.length).split(" ") : [];
    return name === undefined || debian === undefined ? [] : [{ name, debian }];
  });
  if (found.length === 0) return undefined;
  const names = found.map(({ name }) => (name === "headers" ? "the C library's headers" : name));
  return new SpacktainersError(
    "RUNTIME_MISSING",
    `packages cannot be built ${where} without ${names.join(", ")}`,
    {
      hint: `on Debian and Ubuntu: apt-get install ${found.map(({ debian }) => debian).join(" ")}`,
    },
  );
}

/**
 * Checks that packages can be built on this machine.
 *
 * @param path folders to look in, for tests
 * @throws SpacktainersError RUNTIME_MISSING naming everything that is missing, and the Debian packages that have it
 */
export async function requireBuildTools(path?: string): Promise<void> {
  const asked = await runTool(["/bin/sh", "-c", toolsScript], {
    env: { ...hostEnvironment(), PATH: path ?? hostPath() },
    timeout: 60_000,
  });
  const missing = missingTools(asked.stdout, "here");
  if (missing !== undefined) throw missing;
}
