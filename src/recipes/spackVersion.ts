/** Spack's versions as values of recipes. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import type { Dialect } from "../spec/dialect.ts";
import {
  compareVersions,
  parseVersion,
  parseVersionSet,
  type Version,
  versionsIntersect,
  versionsSatisfy,
} from "../spec/versions.ts";
import { SpacktainersError } from "../util/errors.ts";
import { slicedItems } from "./expressions.ts";
import { isObject, type ObjectValue, plain, textIn, type Value, wholeNumber } from "./values.ts";

/** A version. */
export class VersionValue implements ObjectValue {
  readonly kind = "object";
  readonly type = "Version";
  readonly string: string;
  private readonly dialect: Dialect;

  /** @throws PythonException for what is no version */
  constructor(string: string, dialect: Dialect) {
    this.string = string;
    this.dialect = dialect;
  }

  private parsed() {
    try {
      return parseVersion(this.string, this.dialect);
    } catch (thrown) {
      if (!(thrown instanceof SpacktainersError)) throw thrown;
      throw new PythonException("ValueError", thrown.message);
    }
  }

  /** The version, when it is a plain one. @throws NotUnderstood for versions of a git repository */
  private plainVersion(): Version {
    const version = this.parsed();
    if (version.kind === "version") return version;
    if (version.assigned === undefined) throw new NotUnderstood("parts of a version of a git repository");
    return version.assigned;
  }

  text(): string {
    return this.string;
  }

  equals(other: Value): boolean {
    if (!(isObject(other) && other instanceof VersionValue)) return false;
    return compareVersions(this.parsed(), other.parsed()) === 0;
  }

  compare(other: Value): number | undefined {
    if (!(isObject(other) && other instanceof VersionValue)) return undefined;
    return compareVersions(this.parsed(), other.parsed());
  }

  iterate(): Value[] {
    return this.segments();
  }

  private segments(): (string | number)[] {
    return this.plainVersion().release.map((segment) => {
      if (typeof segment === "number" || typeof segment === "string") return segment;
      if (typeof segment === "bigint") return String(segment);
      // Words such as `develop` stand in the text.
      return this.string;
    });
  }

  item(index: Value): Value {
    if (typeof index === "number") {
      const segments = this.segments();
      const found = segments[index < 0 ? segments.length + index : index];
      if (found === undefined) throw new PythonException("IndexError", "tuple index out of range");
      return found;
    }
    if (!isObject(index) || index.type !== "slice" || index.iterate === undefined)
      throw new PythonException("TypeError", "Version indices must be integers or slices");
    const [from = null, to = null, step = null] = index.iterate();
    const part = (value: Value) => (value === null ? null : wholeNumber(value));
    return this.sliced(part(from), part(to), part(step));
  }

  private sliced(from: number | null, to: number | null, step: number | null): VersionValue {
    const version = this.plainVersion();
    const segments = slicedItems(this.segments(), from, to, step);
    const separators = slicedItems(version.separators.slice(0, version.release.length), from, to, step);
    const text = segments.map(
      (segment, index) => `${segment}${index < segments.length - 1 ? (separators[index] ?? "") : ""}`,
    );
    return new VersionValue(text.join(""), this.dialect);
  }

  attribute(name: string): Value | undefined {
    switch (name) {
      case "string":
        return this.string;
      case "joined":
        return this.changed(/[._-]/g, "");
      case "dotted":
        return this.changed(/[_-]/g, ".");
      case "dashed":
        return this.changed(/[._]/g, "-");
      case "underscored":
        return this.changed(/[.-]/g, "_");
      case "up_to":
        return plain(name, 1, 1, (count) => this.sliced(null, wholeNumber(count), null));
      case "up_to_1":
      case "up_to_2":
      case "up_to_3":
        return this.sliced(null, Number(name.slice(-1)), null);
      case "isdevelop":
        return plain(name, 0, 0, () => this.plainVersion().release.some((one) => typeof one === "object"));
      case "is_prerelease":
        return plain(name, 0, 0, () => this.plainVersion().prerelease[0] < 3);
      case "satisfies":
      case "intersects":
        return plain(name, 1, 1, (other = null) => this.within(other, name === "satisfies"));
      case "dotted_numeric_string":
      case "version":
      case "separators":
      case "ref":
      case "ref_version":
      case "union":
      case "intersection":
        throw new NotUnderstood(`\`${name}\` of a version`);
      default:
        return undefined;
    }
  }

  private changed(from: RegExp, to: string): VersionValue {
    return new VersionValue(this.string.replace(from, to), this.dialect);
  }

  private within(other: Value, whole: boolean): boolean {
    if (isObject(other) && other instanceof VersionValue) return this.equals(other);
    const text = textIn(other);
    if (text === undefined) throw new NotUnderstood("a set of versions of this kind");
    const set = parseVersionSet(text, this.dialect);
    const own = parseVersionSet(`=${this.string}`, this.dialect);
    return whole ? versionsSatisfy(own, set) : versionsIntersect(own, set);
  }
}

/** `Version(text)`; `ver(text)` where the text is no range. */
export function versionClass(dialect: Dialect): ObjectValue {
  return plain("Version", 1, 1, (value = null) => {
    if (isObject(value) && value instanceof VersionValue) return value;
    const text = textIn(value) ?? (typeof value === "number" ? String(value) : undefined);
    if (text === undefined || /[:,]/.test(text)) throw new NotUnderstood("a set of versions");
    return new VersionValue(text, dialect);
  });
}
