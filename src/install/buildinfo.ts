/** Reading `.spack/binary_distribution`, the note that tells how a package was built and what to relocate in it. */
import { parseYamlDocument } from "../definitions/boundedYaml.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** What Spack wrote down when it packed a package (`docs/formats.md`, "buildinfo"). Paths of files are relative to the prefix. */
export interface Buildinfo {
  /** Where the sbang script was; undefined in very old archives. */
  readonly sbangPath: string | undefined;
  /** Install root at build time, with padding. */
  readonly root: string;
  /** Where Spack itself was. */
  readonly spackPrefix: string | undefined;
  /** Prefix of the package relative to `root`. */
  readonly relativePrefix: string | undefined;
  /** Prefix at build time by hash, of the package and of what it refers to; undefined in archives too old for it. */
  readonly prefixes: ReadonlyMap<string, string> | undefined;
  readonly textFiles: readonly string[];
  readonly binaries: readonly string[];
  readonly links: readonly string[];
}

/**
 * Larger than any real one: it names files that need relocation only (python: 8 kB), and 100 000 of them need about 10 MiB. To
 * parse this much takes some 25 s.
 */
export const maxBuildinfoBytes = 16 * 1024 * 1024;

/** The note nests two deep. */
const deepestNesting = 16;

/**
 * Parses the note. It is YAML 1.2; every scalar is taken as a string.
 *
 * @param bytes the whole file
 * @param place for errors
 * @throws SpacktainersError BUILDINFO_INVALID
 */
export function parseBuildinfo(bytes: Uint8Array, place: Place = {}): Buildinfo {
  const fail = (what: string, cause?: unknown): SpacktainersError =>
    new SpacktainersError("BUILDINFO_INVALID", `the package's relocation data is not valid: ${what}`, {
      place,
      hint: "the archive is damaged or was not made by Spack; remove it from the cache and push the package again",
      cause,
    });
  if (bytes.length > maxBuildinfoBytes) throw fail(`it is larger than ${maxBuildinfoBytes} bytes`);
  let document: unknown;
  try {
    const yaml = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // Spack writes one flow mapping.
    if (!/^\s*\{/.test(yaml)) throw new Error("it is not a flow mapping");
    // The failsafe schema knows strings only; a Map cannot be polluted by keys such as `__proto__`.
    const parsed = parseYamlDocument(yaml, { schema: "failsafe", depth: deepestNesting });
    if (parsed.errors[0] !== undefined) throw parsed.errors[0];
    document = parsed.toJS({ mapAsMap: true, maxAliasCount: 100 });
  } catch (error) {
    throw fail(firstLine(error), error);
  }
  if (!(document instanceof Map)) throw fail("it is not a mapping");
  const map: ReadonlyMap<unknown, unknown> = document;

  const text = (key: string): string | undefined => {
    const value = map.get(key);
    if (value === undefined || value === "null") return undefined;
    if (typeof value !== "string") throw fail(`"${key}" is not a string`);
    return value;
  };
  const absolute = (key: string, value: string): string => {
    // A prefix of one or two bytes would match everywhere; real ones have two components at least.
    if (!/^\/[^/\0]/.test(value) || value.includes("\0") || value.endsWith("/")) {
      throw fail(`"${key}" has ${JSON.stringify(value)}, which is not an absolute path`);
    }
    return value;
  };
  const list = (key: string): string[] => {
    const value = map.get(key);
    if (value === undefined || value === "" || value === "null") return [];
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
      throw fail(`"${key}" is not a list of file names`);
    }
    return value;
  };

  const root = text("buildpath");
  if (root === undefined) throw fail('"buildpath" is missing');
  const sbangPath = text("sbang_install_path");
  return {
    root: absolute("buildpath", root),
    sbangPath: sbangPath === undefined ? undefined : absolute("sbang_install_path", sbangPath),
    spackPrefix: text("spackprefix"),
    relativePrefix: text("relative_prefix"),
    prefixes: readPrefixes(map, absolute, fail),
    textFiles: list("relocate_textfiles"),
    binaries: list("relocate_binaries"),
    links: list("relocate_links"),
  };
}

function readPrefixes(
  map: ReadonlyMap<unknown, unknown>,
  absolute: (key: string, value: string) => string,
  fail: (what: string) => SpacktainersError,
): Map<string, string> | undefined {
  const key = map.has("hash_to_prefix") ? "hash_to_prefix" : "prefix_to_hash";
  const value = map.get(key);
  if (value === undefined) return undefined;
  if (!(value instanceof Map)) throw fail(`"${key}" is not a mapping`);
  const prefixes = new Map<string, string>();
  for (const [left, right] of value) {
    if (typeof left !== "string" || typeof right !== "string") throw fail(`"${key}" maps more than strings`);
    if (key === "hash_to_prefix") prefixes.set(left, absolute(key, right));
    else prefixes.set(right, absolute(key, left));
  }
  return prefixes;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
}
