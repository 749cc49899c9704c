/** The root file system as it grows: what is where, and where a path leads through links to directories. */

/** What is at a path already. */
export interface Occupant {
  readonly type: "directory" | "file" | "symlink" | "hardlink";
  /** Package that put it there; undefined for what we made. */
  readonly owner: string | undefined;
  /** Of a symbolic link. */
  readonly target?: string;
}

export interface RootTree {
  get(path: string): Occupant | undefined;
  set(path: string, occupant: Occupant): void;
  /**
   * The path with links in all components but the last followed, as the kernel would below this root: what a package
   * puts into `lib` lands in `usr/lib` when `lib` is a link to it. Loops of links are left as they are.
   */
  resolve(path: string): string;
  /** Directories above `path` that are not there yet, topmost first. */
  missingParents(path: string): string[];
}

/** Links followed in one path before giving up, as Linux does. */
const maxLinks = 40;

/** An empty tree. */
export function makeRootTree(): RootTree {
  const occupants = new Map<string, Occupant>();
  /** Canonical directories by their given form. */
  let canonical = new Map<string, string>();

  function followDirectory(path: string): string {
    if (path === "") return "";
    const known = canonical.get(path);
    if (known !== undefined) return known;
    const done: string[] = [];
    const todo = path.split("/");
    for (let links = 0; todo.length > 0; ) {
      const part = todo.shift() ?? "";
      if (part === "" || part === ".") continue;
      if (part === "..") {
        done.pop();
        continue;
      }
      done.push(part);
      const link = occupants.get(done.join("/"));
      if (link?.type !== "symlink" || link.target === undefined || ++links > maxLinks) continue;
      if (link.target.startsWith("/")) done.length = 0;
      else done.pop();
      todo.unshift(...link.target.split("/"));
    }
    const result = done.join("/");
    canonical.set(path, result);
    return result;
  }

  return {
    get: (path) => occupants.get(path),
    set(path, occupant) {
      occupants.set(path, occupant);
      if (occupant.type === "symlink") canonical = new Map();
    },
    resolve(path) {
      const slash = path.lastIndexOf("/");
      if (slash < 0) return path;
      const parent = followDirectory(path.slice(0, slash));
      const name = path.slice(slash + 1);
      return parent === "" ? name : `${parent}/${name}`;
    },
    missingParents(path) {
      const missing: string[] = [];
      for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
        const parent = path.slice(0, slash);
        if (occupants.has(parent)) break;
        missing.unshift(parent);
      }
      return missing;
    },
  };
}
