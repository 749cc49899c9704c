/** Python's modules, as far as recipes need them: paths, the files of the image, what a machine like it is. */
import { posix } from "node:path";
import { NotUnderstood, PythonException } from "../python/problem.ts";
import { joinPath } from "./expressions.ts";
import { globPaths, type RecipeFiles } from "./files.ts";
import {
  dictionary,
  list,
  native,
  type ObjectValue,
  plain,
  textIn,
  tuple,
  type Value,
  valuesOf,
  word,
} from "./values.ts";

/** A module: its names, and the rest that is not understood. */
export function moduleValue(name: string, names: Readonly<Record<string, () => Value>>): ObjectValue {
  return {
    kind: "object",
    type: "module",
    attribute: (attribute) => {
      const make = Object.hasOwn(names, attribute) ? names[attribute] : undefined;
      if (make === undefined) throw new NotUnderstood(`\`${name}.${attribute}\``);
      return make();
    },
  };
}

/** Variables that every process has, but whose values are the user's. */
const personal =
  /^(?:HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|PATH|TERM|TMPDIR|TMP|TEMP|LANG|LC_.*|HOSTNAME|EDITOR|DISPLAY|XDG_.*|SPACK.*|LD_LIBRARY_PATH)$/;

/** `os.environ`, in which nothing is set that a container does not know. */
export function environValue(): ObjectValue {
  const get = (name: string): undefined => {
    if (personal.test(name)) throw new NotUnderstood(`the variable ${name} of the user who runs it`);
    return undefined;
  };
  return {
    kind: "object",
    type: "environ",
    item: (name) => {
      get(word(name));
      throw new PythonException("KeyError", word(name));
    },
    contains: (name) => get(word(name)) !== undefined,
    setAttribute: () => {
      throw new NotUnderstood("a change of `os.environ`");
    },
    attribute: (name) => {
      if (name === "get") return plain(name, 1, 2, (key, fallback = null) => get(word(key)) ?? fallback);
      throw new NotUnderstood(`\`os.environ.${name}\``);
    },
  };
}

const text1 = (name: string, call: (path: string) => Value) => () =>
  plain(name, 1, 1, (path) => call(word(path)));

function absolute(path: string): string {
  if (!path.startsWith("/")) throw new NotUnderstood("a path in the working directory");
  return path;
}

/** `os.path.normpath`. */
export function normalPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 ? normal.replace(/\/$/, "") : normal;
}

function splitPath(path: string): readonly [string, string] {
  const at = path.lastIndexOf("/") + 1;
  const head = path.slice(0, at);
  return [/^\/*$/.test(head) ? head : head.replace(/\/+$/, ""), path.slice(at)];
}

/** `os.path`. */
export function pathModule(files: RecipeFiles): ObjectValue {
  const kind = (path: string) => files.kindOf(absolute(path));
  return moduleValue("os.path", {
    join: () =>
      native("join", ({ values }) => {
        const [first = "", ...rest] = values.map(word);
        return rest.reduce(joinPath, first);
      }),
    exists: text1("exists", (path) => kind(path) !== undefined),
    lexists: text1("lexists", (path) => kind(path) !== undefined),
    isdir: text1("isdir", (path) => kind(path) === "directory"),
    isfile: text1("isfile", (path) => kind(path) === "file"),
    isabs: text1("isabs", (path) => path.startsWith("/")),
    dirname: text1("dirname", (path) => splitPath(path)[0]),
    basename: text1("basename", (path) => splitPath(path)[1]),
    split: text1("split", (path) => tuple(splitPath(path))),
    splitext: text1("splitext", (path) => {
      const [, stem = path, ending = ""] = /^(.*[^/.][^/]*?|[^/]*[^/.][^/]*?)(\.[^./]*)$/s.exec(path) ?? [];
      return tuple([stem, ending]);
    }),
    normpath: text1("normpath", normalPath),
    abspath: text1("abspath", (path) => normalPath(absolute(path))),
    realpath: text1("realpath", (path) => {
      if (kind(path) === undefined) return normalPath(path);
      return files.identity(path);
    }),
    commonprefix: () =>
      plain("commonprefix", 1, 1, (paths = null) => {
        const [first = "", ...rest] = valuesOf(paths).map(word);
        let length = first.length;
        for (const path of rest) while (!path.startsWith(first.slice(0, length))) length--;
        return first.slice(0, length);
      }),
    relpath: () =>
      plain(
        "relpath",
        2,
        2,
        (path, from) => posix.relative(absolute(word(from)), absolute(word(path))) || ".",
      ),
    sep: () => "/",
    pathsep: () => ":",
  });
}

/** `os`. */
export function osModule(files: RecipeFiles): ObjectValue {
  return moduleValue("os", {
    path: () => pathModule(files),
    environ: environValue,
    getenv: () => environValue().attribute?.("get") ?? null,
    pathsep: () => ":",
    sep: () => "/",
    name: () => "posix",
    linesep: () => "\n",
    curdir: () => ".",
    pardir: () => "..",
    listdir: text1("listdir", (path) => {
      if (files.kindOf(absolute(path)) !== "directory") throw new PythonException("FileNotFoundError", path);
      return list(files.list(path));
    }),
    walk: () => plain("walk", 1, 1, (root) => list(walk(files, absolute(word(root))))),
  });
}

/** Most directories that `os.walk` goes through. */
const mostDirectories = 10_000;

function walk(files: RecipeFiles, root: string): Value[] {
  const found: Value[] = [];
  const visit = (directory: string, depth: number): void => {
    if (files.kindOf(directory) !== "directory") return;
    if (found.length > mostDirectories || depth > 60)
      throw new NotUnderstood("a search through too many directories");
    const names = files.list(directory);
    const below = names.filter((name) => files.kindOf(joinPath(directory, name)) === "directory");
    found.push(tuple([directory, list(below), list(names.filter((name) => !below.includes(name)))]));
    for (const name of below) visit(joinPath(directory, name), depth + 1);
  };
  visit(root, 0);
  return found;
}

/** Messages to people: nothing happens. */
const silent = () => native("message", () => null);

/** Python's module of this name, if it is understood. `family`: of the processors of the image. */
export function pythonModule(name: string, files: RecipeFiles, family: string): ObjectValue | undefined {
  switch (name) {
    case "os":
      return osModule(files);
    case "os.path":
    case "posixpath":
      return pathModule(files);
    case "sys":
      return moduleValue(name, { platform: () => "linux", maxsize: () => Number.MAX_SAFE_INTEGER });
    case "glob":
      return moduleValue(name, {
        glob: () => plain("glob", 1, 1, (pattern) => list(globPaths(files, word(pattern)))),
        iglob: () => plain("iglob", 1, 1, (pattern) => list(globPaths(files, word(pattern)))),
      });
    case "platform":
      return moduleValue(name, {
        machine: () => native("machine", () => family),
        processor: () => native("processor", () => family),
        system: () => native("system", () => "Linux"),
      });
    case "itertools":
      return moduleValue(name, {
        chain: () => native("chain", ({ values }) => list(values.flatMap(valuesOf))),
      });
    case "collections":
      return moduleValue(name, {
        OrderedDict: () =>
          native("OrderedDict", ({ values: [entries] }) =>
            dictionary(
              entries === undefined
                ? []
                : valuesOf(entries).map((pair) => {
                    const [key = null, value = null] = valuesOf(pair);
                    return [key, value] as const;
                  }),
            ),
          ),
      });
    case "llnl.util.tty":
    case "spack.llnl.util.tty":
      return {
        kind: "object",
        type: "module",
        attribute: (attribute) =>
          /^(?:debug|info|msg|warn|verbose)$/.test(attribute)
            ? silent()
            : notUnderstood(`${name}.${attribute}`),
      };
    case "warnings":
      return moduleValue(name, { warn: silent });
    case "typing":
      return { kind: "object", type: "module", attribute: (attribute) => typingName(attribute) };
    default:
      return undefined;
  }
}

function notUnderstood(what: string): never {
  throw new NotUnderstood(`\`${what}\``);
}

/** `Optional`, `List` and so on: only annotations use them. */
function typingName(name: string): ObjectValue {
  return {
    kind: "object",
    type: `typing.${name}`,
    item: () => typingName(name),
    text: () => textIn(name) ?? "",
  };
}
