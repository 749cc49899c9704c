/**
 * Packages that have the programs which scripts start with. Chosen by hand, so no script refreshes them. Sources: the index
 * Contents-amd64 of Debian 12, the recipes of Spack 1.1.
 */

/** Debian packages and Spack packages by the programs that scripts start with. */
export const programPackages: readonly (readonly [
  program: string,
  debian: string | undefined,
  spack: string | undefined,
])[] = [
  ["awk", "gawk", "gawk"],
  ["bash", "bash", "bash"],
  ["csh", "tcsh", "tcsh"],
  ["dash", "dash", undefined],
  ["env", "coreutils", "coreutils"],
  ["expect", "expect", "expect"],
  ["gawk", "gawk", "gawk"],
  ["gnuplot", "gnuplot-nox", "gnuplot"],
  ["guile", "guile-3.0", "guile"],
  ["julia", undefined, "julia"],
  ["ksh", "ksh", undefined],
  ["lua", "lua5.4", "lua"],
  ["make", "make", "gmake"],
  ["node", "nodejs", "node-js"],
  ["octave", "octave", "octave"],
  ["perl", "perl", "perl"],
  ["php", "php-cli", "php"],
  ["pwsh", undefined, undefined],
  ["python", "python-is-python3", "python"],
  ["python3", "python3", "python"],
  ["Rscript", "r-base-core", "r"],
  ["ruby", "ruby", "ruby"],
  ["sed", "sed", "sed"],
  ["sh", "dash", "bash"],
  ["tclsh", "tcl", "tcl"],
  ["tcsh", "tcsh", "tcsh"],
  ["wish", "tk", "tk"],
  ["zsh", "zsh", "zsh"],
];
