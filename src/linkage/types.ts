/** The interface of the check before writing: what is in the image, and what of it cannot run. */
import type { ConcreteSpec } from "../spec/concrete.ts";
import type { FileTree } from "../view/fileTree.ts";
import type { CachedLibrary } from "../view/ldSoCache.ts";
import type { LoaderArchitecture } from "../view/ldSoConf.ts";

/** A Spack package in the image. */
export interface LinkagePackage {
  readonly spec: ConcreteSpec;
  /** Absolute. */
  readonly prefix: string;
}

/** What there is to check. */
export interface LinkageInput {
  /** All files of the image: base, packages, view. */
  readonly tree: FileTree;
  readonly architecture: LoaderArchitecture;
  readonly packages: readonly LinkagePackage[];
  /** What `/etc/ld.so.cache` will say, as written. */
  readonly cache: readonly CachedLibrary[];
  /** Folders of the image's PATH, for scripts that start with `env`. */
  readonly searchPath: readonly string[];
  /** Folders of the image's LD_LIBRARY_PATH; default none. */
  readonly libraryPath?: readonly string[];
  /** Names the OS package a file of the base belongs to, without its path's leading slash. */
  readonly ownerInBase?: (path: string) => string | undefined;
  /** Whether Spack has a package of this name that could be added. */
  readonly hasSpackPackage?: ((name: string) => boolean) | undefined;
  /**
   * What may stay unresolved: libraries, interpreters, symbol versions, package names, paths; `*` matches any characters.
   */
  readonly allow?: readonly string[];
}

/** How bad a problem is: warnings do not stop a build. */
export type Severity = "error" | "warning";

/** One thing that some files need and that the image does not have. */
export interface LinkageProblem {
  readonly kind: "library" | "version" | "interpreter" | "shebang" | "external" | "libc";
  readonly severity: Severity;
  /** Spack package (`name@version/hash`), OS package, or `base`. */
  readonly owner: string;
  /** What is missing: a library, an interpreter, a symbol version such as `GLIBC_2.38`, a program, a path. */
  readonly missing: string;
  /** The library that lacks the symbol version. */
  readonly library?: string | undefined;
  /** Absolute paths of the files that need it, sorted. */
  readonly files: readonly string[];
  /** A program that, when started, meets the problem; when it is not one of `files`. */
  readonly program?: string;
  /** What would help, one sentence. */
  readonly hint?: string | undefined;
}

export interface LinkageReport {
  /** What stops the build. */
  readonly problems: readonly LinkageProblem[];
  /** What is worth knowing. */
  readonly warnings: readonly LinkageProblem[];
  /** What would stop the build, but was allowed by name. */
  readonly allowed: readonly LinkageProblem[];
  /** How much was checked. */
  readonly checked: { readonly programs: number; readonly libraries: number; readonly scripts: number };
}
