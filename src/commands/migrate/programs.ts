/** Programs that commands call, and the OS packages that have them. */
import { posix } from "node:path";
import { type ShellCommand, shellCommands } from "./shellCommands.ts";

/** Words that other commands follow. */
const before =
  /^(?:sudo|time|exec|nice|nohup|env|xargs|command|eval|if|then|else|elif|while|until|do|!|\{|set|\w+=.*)$/s;

/** Names of the programs that commands call, those inside of `sh -c` and `$(…)` among them; without folders. */
export function calledPrograms(commands: readonly ShellCommand[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { words } of commands) {
    const texts = words.map(({ text }) => text);
    let at = 0;
    while (before.test(texts[at] ?? "") || (at > 0 && /^-/.test(texts[at] ?? ""))) at++;
    const program = posix.basename(texts[at] ?? "");
    if (program !== "") found.add(program);
    const script = /^(?:ba|da|z)?sh$/.test(program) ? texts.findIndex((text) => /^-\w*c$/.test(text)) : -1;
    if (script >= 0)
      for (const inner of calledPrograms(shellCommands(texts[script + 1] ?? ""))) found.add(inner);
    for (const text of texts)
      for (const [, inner = ""] of text.matchAll(/(?:\$\(|`)\s*([\w./+-]+)/g))
        found.add(posix.basename(inner));
  }
  return found;
}

/** Programs that make others from their sources: they call each other. */
const building =
  /^(?:make|gmake|cmake|ninja|meson|scons|configure|autoreconf|autogen\.sh|(?:[\w-]+-)?(?:gcc|g\+\+|gfortran|cpp)(?:-\d+)?|cc|c\+\+|f77|f95|ld|mpi(?:cc|cxx|c\+\+|fort|f77|f90)|pip3?|cargo|nrnivmodl)$/;

/** Whether commands make something from its sources. */
export function buildsSomething(programs: ReadonlySet<string>, commands: readonly ShellCommand[]): boolean {
  if ([...programs].some((program) => building.test(program))) return true;
  return commands.some(({ words }) =>
    /^(?:\S*\/)?python[\d.]* (?:-\S+ )*(?:-m (?:pip|build)\b|\S*setup\.py\b)/.test(
      words.map(({ text }) => text).join(" "),
    ),
  );
}

/** Packages by program: the first is the usual one, where the names differ. */
const packages: Readonly<Record<string, readonly string[]>> = {
  make: ["make", "build-essential"],
  gcc: ["gcc", "build-essential"],
  cc: ["gcc", "build-essential"],
  mpicc: ["gcc", "build-essential"],
  "g++": ["g++", "build-essential", "gcc-c++"],
  "c++": ["g++", "build-essential", "gcc-c++"],
  mpicxx: ["g++", "build-essential", "gcc-c++"],
  gfortran: ["gfortran", "gcc-gfortran"],
  mpif90: ["gfortran", "gcc-gfortran"],
  mpifort: ["gfortran", "gcc-gfortran"],
  ninja: ["ninja-build"],
  autoreconf: ["autoconf"],
  pip: ["python3-pip"],
  pip3: ["python3-pip"],
  python: ["python3"],
  "pkg-config": ["pkg-config", "pkgconf"],
  xz: ["xz-utils", "xz"],
  gpg: ["gnupg", "gnupg2", "gpg"],
  ps: ["procps"],
  useradd: ["passwd"],
  usermod: ["passwd"],
  userdel: ["passwd"],
  groupadd: ["passwd"],
  groupmod: ["passwd"],
  chpasswd: ["passwd"],
  gunzip: ["gzip"],
  zcat: ["gzip"],
  cmp: ["diffutils"],
  diff: ["diffutils"],
  adduser: ["adduser"],
  addgroup: ["adduser"],
};

/** OS packages that have a program, the usual one first: by its own name where it is known by no other. */
export function packagesOfProgram(program: string): readonly string[] {
  return Object.hasOwn(packages, program) ? (packages[program] ?? []) : [program];
}

/** Of what the images of Debian and Ubuntu have, packages that a base for Spack's packages has no use for. */
export const systemPackages: ReadonlySet<string> = new Set([
  "adduser",
  "diffutils",
  "dpkg",
  "gzip",
  "passwd",
  "tar",
]);

/** What the images of Spack's builders have besides. */
export const builderPackages: ReadonlySet<string> = new Set([
  "build-essential",
  "bzip2",
  "curl",
  "file",
  "g++",
  "gcc",
  "gfortran",
  "git",
  "gnupg",
  "make",
  "patch",
  "python3",
  "python3-pip",
  "unzip",
  "xz-utils",
]);
