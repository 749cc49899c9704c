/** Packages that Spack's solver treats in a way of their own, by what recipes say of them (tags). */

/** Run-time libraries of compilers, and C libraries. */
export const runtimes: ReadonlySet<string> = new Set([
  "gcc-runtime",
  "intel-oneapi-runtime",
  "compiler-wrapper",
  "glibc",
  "musl",
]);

/** Compilers, as packages of 1.x. In 0.x they are none that others depend on. */
export const compilers: ReadonlySet<string> = new Set([
  "acfl",
  "aocc",
  "apple-clang",
  "cce",
  "fj",
  "gcc",
  "intel-oneapi-compilers",
  "intel-oneapi-compilers-classic",
  "llvm",
  "llvm-amdgpu",
  "msvc",
  "nag",
  "nvhpc",
  "xl",
]);

/** Virtual packages that compilers provide. What was built with one is held to what is said of them. */
export const languages: ReadonlySet<string> = new Set(["c", "cxx", "fortran"]);
