/**
 * The dynamic loader's search for libraries, without running anything.
 *
 * Rules of glibc's loader, in its order: a library already loaded under that name; for names with a slash the path itself;
 * else DT_RPATH of the object and of those that loaded it, up to the program (not when the object has DT_RUNPATH; an
 * object's DT_RPATH does not count when it has DT_RUNPATH); LD_LIBRARY_PATH; DT_RUNPATH of the object; `ld.so.cache`; the
 * folders built into the loader (objects with DF_1_NODEFLIB get nothing from these folders, by the cache neither). Files of another machine or word size
 * are skipped. `$ORIGIN` is the folder of the object by the path it was found under. Folders for special processors
 * (`glibc-hwcaps`) are not looked into: they hold copies of what is beside them.
 */
import { parentPath } from "../archive/names.ts";
import type { ElfInfo } from "../elf/elfInfo.ts";
import { type FileTree, imagePath } from "../view/fileTree.ts";
import type { CachedLibrary } from "../view/ldSoCache.ts";
import {
  defaultLibraryDirectories,
  type LoaderArchitecture,
  libNames,
  platformName,
} from "../view/ldSoConf.ts";

/** Objects loaded into one process at most. */
const maxObjects = 20_000;

/** A file on disk that can be loaded. */
export interface LoadableFile {
  /** Path in inventory form through which it was found. */
  readonly path: string;
  /** Path of its content: the same for all names of one file. */
  readonly identity: string;
  readonly facts: ElfInfo;
}

/** An object of a process. */
export interface LoadedObject {
  readonly file: LoadableFile;
  /** DT_RPATH of this object and of those that loaded it, expanded. */
  readonly inherited: SearchList;
}

/** A library that could not be found. */
export interface Unresolved {
  readonly file: LoadableFile;
  readonly name: string;
  /** The object's place in the process: what was searched for it. */
  readonly inherited: SearchList;
}

/** What is in memory after loading a program or a library. */
export interface Process {
  readonly root: LoadedObject;
  /** In load order. */
  readonly objects: readonly LoadedObject[];
  /** By every name under which an object is known. */
  readonly names: ReadonlyMap<string, LoadedObject>;
  readonly unresolved: readonly Unresolved[];
}

/** A list of folders with a number that is the same for equal lists. */
export interface SearchList {
  readonly id: number;
  readonly directories: readonly string[];
}

/** Adds to what a process sees, for libraries whose program is not known. */
export interface ProcessContext {
  /** Finds a library by name when the rules do not. */
  readonly fallback?: (name: string, by: LoadableFile) => LoadableFile | undefined;
}

const i386 = { machine: 3, bits: 32 };

/** Loads programs and libraries of one image. Look-ups are remembered. */
export class Loader {
  readonly #tree: FileTree;
  readonly #cache = new Map<string, string[]>();
  readonly #defaults: readonly string[];
  readonly #libraryPath: readonly string[];
  readonly #libNames: readonly string[];
  readonly #platform: string;
  readonly #lists = new Map<string, SearchList>();
  readonly #files = new Map<string, LoadableFile | undefined>();
  readonly #found = new Map<string, LoadableFile | undefined>();
  readonly #expanded = new Map<string, SearchList>();

  constructor(
    tree: FileTree,
    architecture: LoaderArchitecture,
    cache: readonly CachedLibrary[],
    libraryPath: readonly string[] = [],
  ) {
    this.#tree = tree;
    this.#defaults = defaultLibraryDirectories(architecture);
    this.#libraryPath = libraryPath;
    this.#libNames = libNames(architecture);
    this.#platform = platformName(architecture);
    for (const library of cache) {
      const paths = this.#cache.get(library.name);
      if (paths === undefined) this.#cache.set(library.name, [library.path]);
      else paths.push(library.path);
    }
  }

  /** The ELF file a path leads to; undefined when there is none. */
  fileAt(path: string): LoadableFile | undefined {
    const key = imagePath(path);
    const known = this.#files.get(key);
    if (known !== undefined || this.#files.has(key)) return known;
    const resolved = this.#tree.resolve(key);
    const content = resolved === undefined ? undefined : this.#tree.hardLinkTarget(resolved);
    const facts = content?.entry.elf;
    const file =
      content === undefined || facts === undefined ? undefined : { path: key, identity: content.path, facts };
    this.#files.set(key, file);
    return file;
  }

  /**
   * Loads a file and all it needs, breadth first as the loader does.
   * @param file a program, or a library that something opens by itself
   */
  load(file: LoadableFile, context: ProcessContext = {}): Process {
    const root: LoadedObject = { file, inherited: this.#inherited(file, undefined) };
    const objects = [root];
    const names = new Map<string, LoadedObject>();
    const byIdentity = new Map<string, LoadedObject>([[file.identity, root]]);
    const unresolved: Unresolved[] = [];
    if (file.facts.soname !== undefined) names.set(file.facts.soname, root);
    const interpreter =
      file.facts.interpreter === undefined ? undefined : this.fileAt(file.facts.interpreter);
    if (interpreter !== undefined && interpreter.identity !== file.identity) {
      // The loader itself is in memory from the beginning and needs nothing.
      const object = { file: interpreter, inherited: root.inherited };
      byIdentity.set(interpreter.identity, object);
      if (interpreter.facts.soname !== undefined) names.set(interpreter.facts.soname, object);
    }
    for (let at = 0; at < objects.length && objects.length < maxObjects; at++) {
      const object = objects[at];
      if (object === undefined) break;
      for (const name of object.file.facts.needed) {
        if (names.has(name)) continue;
        const found = this.find(name, object) ?? context.fallback?.(name, object.file);
        if (found === undefined) {
          unresolved.push({ file: object.file, name, inherited: object.inherited });
          continue;
        }
        let loaded = byIdentity.get(found.identity);
        if (loaded === undefined) {
          loaded = { file: found, inherited: this.#inherited(found, object) };
          byIdentity.set(found.identity, loaded);
          objects.push(loaded);
        }
        names.set(name, loaded);
        const { soname } = found.facts;
        if (soname !== undefined && !names.has(soname)) names.set(soname, loaded);
      }
    }
    return { root, objects, names, unresolved };
  }

  /** The library that `name` stands for when `object` asks for it and nothing of that name is loaded. */
  find(name: string, object: LoadedObject): LoadableFile | undefined {
    const { facts } = object.file;
    if (name.includes("/")) {
      const [path] = this.#expand([name], object.file);
      return path === undefined ? undefined : this.#suitable(path, facts);
    }
    const runpath = this.#ownList("runpath", object.file);
    const flags = `${facts.noDefaultLibraries === true ? 1 : 0}${facts.bits}${facts.machine}`;
    const key = `${object.inherited.id} ${runpath.id} ${facts.runpath.length > 0 ? 1 : 0} ${flags} ${name}`;
    const known = this.#found.get(key);
    if (known !== undefined || this.#found.has(key)) return known;
    const found = this.#search(name, object, runpath);
    this.#found.set(key, found);
    return found;
  }

  #search(name: string, object: LoadedObject, runpath: SearchList): LoadableFile | undefined {
    const { facts } = object.file;
    const within = (directories: readonly string[]): LoadableFile | undefined => {
      for (const directory of directories) {
        const found = this.#suitable(`${directory}/${name}`, facts);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    if (facts.runpath.length === 0) {
      const found = within(object.inherited.directories);
      if (found !== undefined) return found;
    }
    const found = within(this.#libraryPath) ?? within(runpath.directories);
    if (found !== undefined) return found;
    const noDefaults = facts.noDefaultLibraries === true;
    for (const path of this.#cache.get(name) ?? []) {
      if (noDefaults && this.#defaults.some((directory) => path.startsWith(`${directory}/`))) continue;
      const cached = this.#suitable(path, facts);
      if (cached !== undefined) return cached;
    }
    if (noDefaults) return undefined;
    const isI386 = facts.machine === i386.machine && facts.bits === i386.bits;
    return within(
      isI386 ? ["/lib/i386-linux-gnu", "/usr/lib/i386-linux-gnu", "/lib32", "/usr/lib32"] : this.#defaults,
    );
  }

  /** The file at a path if it can be loaded together with an object of these facts. */
  #suitable(path: string, facts: ElfInfo): LoadableFile | undefined {
    const file = this.fileAt(path);
    if (file === undefined) return undefined;
    const other = file.facts;
    const fits =
      other.machine === facts.machine && other.bits === facts.bits && other.endian === facts.endian;
    return fits && (other.type === "dynamic" || other.type === "executable") ? file : undefined;
  }

  /** DT_RPATH of a file and of those that loaded it. */
  #inherited(file: LoadableFile, loader: LoadedObject | undefined): SearchList {
    const above = loader?.inherited.directories ?? [];
    // DT_RPATH does not count beside DT_RUNPATH.
    if (file.facts.rpath.length === 0 || file.facts.runpath.length > 0)
      return loader?.inherited ?? this.#list([]);
    const own = this.#ownList("rpath", file).directories;
    return above.length === 0 ? this.#list(own) : this.#list([...new Set([...own, ...above])]);
  }

  #ownList(tag: "rpath" | "runpath", file: LoadableFile): SearchList {
    const items = file.facts[tag];
    if (items.length === 0) return this.#list([]);
    const key = `${tag} ${file.path}`;
    const known = this.#expanded.get(key);
    if (known !== undefined) return known;
    const list = this.#list(this.#expand(items, file));
    this.#expanded.set(key, list);
    return list;
  }

  /** Absolute paths with `$ORIGIN`, `$LIB` and `$PLATFORM` filled in; relative ones depend on luck and are dropped. */
  #expand(items: readonly string[], file: LoadableFile): string[] {
    const expanded: string[] = [];
    for (const item of items) {
      if (!item.includes("$")) {
        if (item.startsWith("/")) expanded.push(item);
        continue;
      }
      for (const lib of /\$(LIB\b|\{LIB\})/.test(item) ? this.#libNames : [""]) {
        const path = item.replace(
          /\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)\b)/g,
          (_, braced, bare) => {
            const name: unknown = braced ?? bare;
            if (name === "ORIGIN") return `/${this.#origin(file)}`;
            return name === "LIB" ? lib : this.#platform;
          },
        );
        if (path.startsWith("/") && !path.includes("$")) expanded.push(path);
      }
    }
    return expanded;
  }

  /** The folder of a file; of a program the one of its real path, as the kernel tells it. */
  #origin(file: LoadableFile): string {
    return parentPath(file.facts.interpreter === undefined ? file.path : file.identity);
  }

  #list(directories: readonly string[]): SearchList {
    const key = directories.join(":");
    let list = this.#lists.get(key);
    if (list === undefined) {
      list = { id: this.#lists.size, directories };
      this.#lists.set(key, list);
    }
    return list;
  }
}
