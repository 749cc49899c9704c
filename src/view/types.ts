/** The interface of the view: many package prefixes in, one merged directory out. */
import type { Inventory, InventoryEntry } from "../archive/inventory.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";

/** A package that a view may show. */
export interface ViewPackage {
  readonly spec: ConcreteSpec;
  /** Where it is in the image, absolute: `/opt/software/zlib-1.3-…`. */
  readonly prefix: string;
  readonly inventory: Inventory;
}

/** How files of a view refer to the packages' files, by Spack's names. */
export type ViewLinkType = "symlink" | "hardlink" | "copy";

export interface ViewOptions {
  /** The path people use, absolute: `/opt/view`. Rewritten scripts name it. */
  readonly viewPath: string;
  /**
   * `link`: the files lie in `._view/<hash>` beside the view path, which is a relative symbolic link to them, as Spack
   * lays them out. `plain`: the view path is a directory.
   */
  readonly layout: "link" | "plain";
  /** `copy` gives symbolic links too, with a notice: in an image the packages are always there. */
  readonly linkType: ViewLinkType;
  /** Add the packages' `.spack` folders as `.spack/<name>`. */
  readonly metadata: boolean;
  /** Which packages to show (`select` and `exclude` of the manifest); default all. */
  readonly includes?: (spec: ConcreteSpec) => boolean;
  /**
   * The projection: the folder in the view a package goes to, relative, empty for the view itself; default empty.
   * Called for the interpreter a package extends instead of the package itself.
   */
  readonly projectionOf?: (spec: ConcreteSpec) => string;
  /** The path that rewritten scripts name instead of the view path (real Spack names the hidden folder). */
  readonly scriptPath?: string;
}

/** One entry of a view: an inventory entry that knows its content. */
export interface ViewEntry extends InventoryEntry {
  /** Present for files. */
  readonly content?: Uint8Array;
}

/** Several packages have a file for one path of the view: the first one is shown. */
export interface ViewShadow {
  /** Path relative to the view. */
  readonly path: string;
  /** Absolute path of the file that is shown. */
  readonly winner: string;
  /** Absolute paths of those that are not, in view order. */
  readonly losers: readonly string[];
}

/** A view, ready to be written and to be looked into. */
export interface MergedView {
  /** The entries with paths relative to the image's root, parents first, sorted by path. The inventory of the view. */
  readonly entries: readonly ViewEntry[];
  /** Absolute path of the directory that holds the files. */
  readonly realPath: string;
  readonly viewPath: string;
  /** The packages shown, in view order, after runtimes that repeat were dropped. */
  readonly packages: readonly ViewPackage[];
  readonly conflicts: readonly ViewShadow[];
  /** Where the view differs from what was asked for, one sentence each. */
  readonly notices: readonly string[];
}
