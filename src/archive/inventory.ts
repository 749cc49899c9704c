/**
 * What is in a finished part of an image (a package, a base, the top layer), without the bytes.
 *
 * An inventory is stored beside each finished layer fragment; the view, the linkage check, `ld.so.cache` and warm rebuilds
 * work from inventories alone. It is plain JSON data, sorted by path.
 */
import type { ElfInfo } from "../elf/elfInfo.ts";

export interface InventoryEntry {
  /** Relative to the image's root (see `Entry.path`). */
  readonly path: string;
  readonly type: "directory" | "file" | "symlink" | "hardlink";
  readonly mode: number;
  /** Bytes; 0 for all but files. */
  readonly size: number;
  /** Symbolic link: its text. Hard link: path of the file. */
  readonly target?: string;
  /** Present for ELF files. */
  readonly elf?: ElfInfo;
  /** First line without `#!` of an executable file that starts with it; as it is in the image. */
  readonly shebang?: string;
  /**
   * The whole text of small scripts (executable, starts with `#!`, ≤ 64 KiB, directly in the prefix's `bin`), of
   * `pyvenv.cfg` and of `bin/activate*`: a view may have to copy and rewrite them. In a base: of
   * `etc/ld.so.conf`, the files below `etc/ld.so.conf.d` and `os-release`. Latin-1: one character a byte.
   */
  readonly text?: string;
}

/** The recipe of a package, as Spack kept it in an archive. */
export interface KeptRecipe {
  /** Name of the package. */
  readonly name: string;
  /** It is the recipe of the package whose archive it lies in. */
  readonly own: boolean;
  readonly text: string;
}

export interface Inventory {
  readonly entries: readonly InventoryEntry[];
  /** Of a package: its own recipe, and those that it needs of packages that may be in no archive. */
  readonly recipes?: readonly KeptRecipe[];
}
