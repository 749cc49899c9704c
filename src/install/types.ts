/** The interface of install: one package archive in, one relocated, stripped, deterministic stream of entries out. */
import type { Inventory } from "../archive/inventory.ts";
import type { FragmentDescriptor } from "../archive/writeFragment.ts";
import type { DagHash } from "../spec/concrete.ts";
import type { Dialect } from "../spec/dialect.ts";
import type { Digest } from "../util/digest.ts";

/** What decides the bytes of an installed package, besides the archive itself. */
export interface InstallOptions {
  /** Remove debug sections and symbol tables of executables and shared objects. */
  readonly strip: boolean;
  /**
   * What to do with scripts whose over-long first line Spack replaced by its `sbang` script: `undo` restores the line
   * where it now fits (127 bytes) and keeps sbang elsewhere, `keep` only relocates, as Spack does.
   */
  readonly sbang: "keep" | "undo";
  /** Keep the package's `.spack` folder; otherwise nothing of it goes into the image. */
  readonly metadata: boolean;
}

/** One package to install. Plain data: it is sent to worker threads. */
export interface InstallRequest {
  readonly name: string;
  readonly version: string;
  readonly hash: DagHash;
  /** A verified archive in the download store. */
  readonly archivePath: string;
  /** Of the archive: compared with the bytes that were installed, since a file may change after it was verified. */
  readonly archiveDigest?: Digest;
  /** New install root, absolute, such as `/opt/software`. */
  readonly root: string;
  /** New prefixes, absolute, by hash: of the package itself and of its link/run dependencies that are not external. */
  readonly prefixes: Readonly<Record<string, string>>;
  /** Hashes in Spack's relocation order: itself, the transitive link closure breadth-first, the direct run dependencies. */
  readonly relocationOrder: readonly DagHash[];
  /**
   * Spliced packages only: for a hash of `relocationOrder`, the hash that stood in its place when the archive was made
   * (the package itself: hash of its build spec).
   */
  readonly analogs?: Readonly<Record<string, DagHash>>;
  /** Names of the externals that it depends on directly: their recipes are in no archive of their own. */
  readonly externals: readonly string[];
  /** The generation of Spack that made the archive. Their relocation rules differ in details. */
  readonly generation: Dialect;
  readonly options: InstallOptions;
}

/** A finished fragment in a file (see `archive/writeFragment.ts`) and what is in it. Plain JSON data. */
export interface LayerFragment extends FragmentDescriptor {
  readonly path: string;
  readonly inventory: Inventory;
}
