/** What `from spack.package import *` gives to recipes. */

import { NotUnderstood } from "../python/problem.ts";
import type { Dialect } from "../spec/dialect.ts";
import { exceptionClass } from "./exceptions.ts";
import { joinPath } from "./expressions.ts";
import { findPaths, type RecipeFiles } from "./files.ts";
import { FileListValue, fileListClass } from "./libraryList.ts";
import { environValue, normalPath, pythonModule } from "./pythonModules.ts";
import { environmentClass } from "./spackEnvironment.ts";
import { versionClass } from "./spackVersion.ts";
import {
  type CallArguments,
  isTrue,
  list,
  native,
  type ObjectValue,
  plain,
  prefix,
  textIn,
  textOf,
  type Value,
  valuesOf,
  wholeNumber,
  word,
} from "./values.ts";

/** Arguments by name, in the order of the parameters. @throws NotUnderstood for names that are not among them */
function argumentsOf({ values, named }: CallArguments, names: readonly string[]): (Value | undefined)[] {
  for (const name of named.keys())
    if (!names.includes(name)) throw new NotUnderstood(`the argument \`${name}\``);
  if (values.length > names.length) throw new NotUnderstood("this number of arguments");
  return names.map((name, index) => (index < values.length ? values[index] : named.get(name)));
}

const patternsOf = (value: Value | undefined): string[] => {
  const one = textIn(value ?? null);
  return one === undefined ? valuesOf(value ?? null).map(word) : [one];
};

const headerEndings = ["h", "hpp", "hxx", "hh", "H", "txx", "tcc", "icc", "mod", "inc"];

/** Where libraries are looked for. */
export interface LibrarySearch {
  readonly root: string;
  readonly shared: boolean;
  readonly recursive: boolean;
}

/** Libraries of these names below a directory, as Spack looks for them. @throws NotUnderstood */
export function findLibraries(
  files: RecipeFiles,
  names: readonly string[],
  { root, shared, recursive }: LibrarySearch,
): FileListValue {
  const patterns = names.map((name) => `${name}.${shared ? "so" : "a"}`);
  if (!recursive) return new FileListValue("LibraryList", findPaths(files, [root], patterns, 0));
  for (const folder of ["lib", "lib64"]) {
    const found = findPaths(files, [joinPath(root, folder)], patterns, 0);
    if (found.length > 0) return new FileListValue("LibraryList", found);
  }
  return new FileListValue("LibraryList", findPaths(files, [root], patterns, Number.POSITIVE_INFINITY));
}

/** Headers of these names below a directory. @throws NotUnderstood */
export function findHeaders(
  files: RecipeFiles,
  names: readonly string[],
  root: string,
  recursive: boolean,
): FileListValue {
  const patterns = names.flatMap((name) => headerEndings.map((ending) => `${name}.${ending}`));
  return new FileListValue(
    "HeaderList",
    findPaths(files, [root], patterns, recursive ? Number.POSITIVE_INFINITY : 0),
  );
}

/** A program that is never started. */
export function executable(path: string): ObjectValue {
  return {
    kind: "object",
    type: "Executable",
    text: () => path,
    call: () => {
      throw new NotUnderstood(`a run of ${path}`);
    },
    attribute: (name) => {
      if (name === "path" || name === "command") return path;
      if (name === "name") return path.slice(path.lastIndexOf("/") + 1);
      if (name === "exe") return list([path]);
      throw new NotUnderstood(`\`${name}\` of a program`);
    },
  };
}

/** The value of a name of `spack.package`; undefined for names that are not understood. */
export function spackName(name: string, files: RecipeFiles, dialect: Dialect): Value | undefined {
  switch (name) {
    case "join_path":
      return native(name, ({ values }) => {
        const [first = "", ...rest] = values.map((value) => textOf(value));
        return rest.reduce(joinPath, first);
      });
    case "find":
      return native(name, (given) => {
        const [root, names, recursive = true, depth = null] = argumentsOf(given, [
          "root",
          "files",
          "recursive",
          "max_depth",
        ]);
        const limit = depth === null ? Number.POSITIVE_INFINITY : wholeNumber(depth);
        return list(findPaths(files, patternsOf(root), patternsOf(names), isTrue(recursive) ? limit : 0));
      });
    case "find_first":
      return plain(name, 2, 2, (root, names) => {
        const found = findPaths(files, [word(root)], patternsOf(names), Number.POSITIVE_INFINITY);
        return found.sort((a, b) => a.split("/").length - b.split("/").length || (a < b ? -1 : 1))[0] ?? null;
      });
    case "tty":
      return pythonModule("spack.llnl.util.tty", files, "") ?? null;
    case "find_libraries":
      return native(name, (given) => {
        const [names, root, shared = true, recursive = false] = argumentsOf(given, [
          "libraries",
          "root",
          "shared",
          "recursive",
          "runtime",
        ]);
        return findLibraries(files, patternsOf(names), {
          root: word(root),
          shared: isTrue(shared),
          recursive: isTrue(recursive),
        });
      });
    case "find_headers":
      return native(name, (given) => {
        const [names, root, recursive = false] = argumentsOf(given, ["headers", "root", "recursive"]);
        return findHeaders(files, patternsOf(names), word(root), isTrue(recursive));
      });
    case "LibraryList":
    case "HeaderList":
      return fileListClass(name);
    case "EnvironmentModifications":
      return environmentClass(files);
    case "Version":
    case "ver":
      return versionClass(dialect);
    case "Prefix":
      return plain(name, 1, 1, (path) => prefix(word(path)));
    case "Executable":
      return plain(name, 1, 1, (path) => executable(word(path)));
    case "ancestor":
      return plain(name, 1, 2, (path, count = 1) => {
        let at = normalPath(word(path));
        if (!at.startsWith("/")) throw new NotUnderstood("a path in the working directory");
        for (let left = Math.min(wholeNumber(count), 1000); left > 0; left--)
          at = at.slice(0, Math.max(1, at.lastIndexOf("/")));
        return at;
      });
    case "is_system_path":
      return plain(name, 1, 1, (path) => isSystemPath(word(path)));
    case "filter_system_paths":
      return plain(name, 1, 1, (paths = null) =>
        list(valuesOf(paths).filter((path) => !isSystemPath(word(path)))),
      );
    case "dedupe":
      return plain(name, 1, 1, (values = null) => list([...new Set(valuesOf(values))]));
    case "is_exe":
    case "can_access":
      return plain(name, 1, 1, (path) => files.kindOf(word(path)) !== undefined);
    case "dso_suffix":
    case "shared_library_suffix":
      return "so";
    case "env":
    case "environ":
      return environValue();
    case "static_library_suffix":
      return "a";
    default:
      return exceptionClass(name);
  }
}

const systemPaths: ReadonlySet<string> = new Set(
  ["/", "/usr", "/usr/local"].flatMap((path) =>
    ["", "bin", "bin64", "include", "lib", "lib64"].map((folder) =>
      folder === "" ? path : joinPath(path, folder),
    ),
  ),
);

function isSystemPath(path: string): boolean {
  return systemPaths.has(normalPath(path));
}
