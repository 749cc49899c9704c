/** Spack's lists of libraries and headers. */
import { posix } from "node:path";
import { NotUnderstood, PythonException } from "../python/problem.ts";
import { slicedItems } from "./expressions.ts";
import {
  isObject,
  list,
  type ObjectValue,
  plain,
  type Value,
  valuesOf,
  wholeNumber,
  word,
} from "./values.ts";

/** A `LibraryList` or `HeaderList`. */
export class FileListValue implements ObjectValue {
  readonly kind = "object";
  readonly type: "LibraryList" | "HeaderList";
  readonly files: readonly string[];

  constructor(type: "LibraryList" | "HeaderList", files: readonly string[]) {
    this.type = type;
    this.files = [...new Set(files)];
  }

  text(): string {
    return this.files.join(" ");
  }

  truth(): boolean {
    return this.files.length > 0;
  }

  iterate(): Value[] {
    return [...this.files];
  }

  equals(other: Value): boolean {
    return isObject(other) && other instanceof FileListValue && other.text() === this.text();
  }

  plus(other: Value, reversed: boolean): Value {
    const files = valuesOf(other).map(word);
    return new FileListValue(this.type, reversed ? [...files, ...this.files] : [...this.files, ...files]);
  }

  item(index: Value): Value {
    if (typeof index === "number") {
      const found = this.files[index < 0 ? this.files.length + index : index];
      if (found === undefined) throw new PythonException("IndexError", "list index out of range");
      return found;
    }
    if (!isObject(index) || index.type !== "slice" || index.iterate === undefined)
      throw new PythonException("TypeError", "list indices must be integers or slices");
    const [from = null, to = null, step = null] = index.iterate();
    const part = (value: Value) => (value === null ? null : wholeNumber(value));
    return new FileListValue(this.type, slicedItems(this.files, part(from), part(to), part(step)));
  }

  private directories(): string[] {
    return [...new Set(this.files.map((file) => posix.dirname(file)))];
  }

  attribute(name: string): Value | undefined {
    switch (name) {
      case "files":
      case "libraries":
      case "headers":
        return list(this.files);
      case "directories":
        // Of headers, the directory above which nothing is called `include`.
        if (this.type === "HeaderList")
          return list([
            ...new Set(this.directories().map((path) => path.replace(/^(.*?\binclude\b).*$/, "$1"))),
          ]);
        return list(this.directories());
      case "basenames":
        return list([...new Set(this.files.map((file) => posix.basename(file)))]);
      case "names":
        if (this.type === "HeaderList") throw new NotUnderstood("the names of headers");
        return list([...new Set(this.files.map(libraryName))]);
      case "search_flags":
        return this.directories()
          .map((path) => `-L${path}`)
          .join(" ");
      case "joined":
        return plain(name, 0, 1, (separator = " ") => this.files.join(word(separator)));
      case "link_flags":
      case "ld_flags":
      case "include_flags":
      case "cpp_flags":
      case "macro_definitions":
      case "add_macro":
        throw new NotUnderstood(`\`${name}\` of a ${this.type}`);
      default:
        return undefined;
    }
  }
}

function libraryName(path: string): string {
  const name = posix.basename(path).replace(/^lib/, "");
  for (const ending of [".dylib", ".so", ".a"]) {
    const at = name.lastIndexOf(ending);
    if (at >= 0) return name.slice(0, at);
  }
  return name;
}

/** The class `LibraryList` or `HeaderList`. */
export function fileListClass(type: "LibraryList" | "HeaderList"): ObjectValue {
  return plain(
    type,
    1,
    1,
    (files = null) =>
      new FileListValue(type, typeof files === "string" ? [files] : valuesOf(files).map(word)),
  );
}
