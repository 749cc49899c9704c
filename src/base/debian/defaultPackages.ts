/**
 * What a useful runtime base has: the C, C++ and Fortran run-time libraries that compiled packages need, a login shell
 * for the image's entry point, and the commands that the scripts of packages take for granted (`awk` comes with
 * base-files; Perl is essential in Debian, and many packages have a script or two in it). No package manager, no Python.
 */
export const defaultBasePackages: readonly string[] = [
  "base-files",
  "bash",
  "coreutils",
  "findutils",
  "grep",
  "hostname",
  "libatomic1",
  "libc-bin",
  "libc6",
  "libgcc-s1",
  "libgfortran5",
  "libgomp1",
  "libstdc++6",
  "perl-base",
  "sed",
];
