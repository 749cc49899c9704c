/** What is kept of a package's paragraph in a `Packages` index: what resolving and downloading need. */
import { type Digest, parseDigest } from "../../util/digest.ts";
import { parseControl } from "./control.ts";

/** A package an archive offers. Relation fields are unparsed: of 60 000 packages, only a few dozen are read. */
export interface PackageRecord {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly multiArch: string;
  readonly priority: string;
  readonly preDepends: string;
  readonly depends: string;
  readonly conflicts: string;
  readonly breaks: string;
  readonly provides: string;
  /** Below the archive's root. */
  readonly filename: string;
  /** Bytes. */
  readonly size: number;
  readonly digest: Digest;
  /** Source package as the index names it: empty when it has the package's name and version, else `name` or `name (version)`. */
  readonly source: string;
}

/** Fields of a `Packages` paragraph in the order of a record's line. */
export const recordFields = [
  "package",
  "provides",
  "version",
  "architecture",
  "multi-arch",
  "priority",
  "pre-depends",
  "depends",
  "conflicts",
  "breaks",
  "filename",
  "size",
  "sha256",
  "source",
] as const;

/** Version of the line format; part of cache file names. */
export const recordFormat = 1;

/**
 * One paragraph of a `Packages` index as a line: the fields of {@link recordFields}, separated by tabs.
 * @returns undefined when a field that is needed is missing or malformed
 */
export function recordLine(paragraph: string): string | undefined {
  const values =
    paragraph.includes("\n ") || paragraph.includes("\n\t") ? folded(paragraph) : plain(paragraph);
  const [name, , version, architecture, , , , , , , filename, size, sha256] = values;
  if (name === "" || version === "" || architecture === "" || !safeFilename(filename ?? "")) return undefined;
  if (!/^\d{1,12}$/.test(size ?? "") || !/^[0-9a-f]{64}$/.test(sha256 ?? "")) return undefined;
  return values.join("\t");
}

const fieldIndex: ReadonlyMap<string, number> = new Map(recordFields.map((field, at) => [field, at]));

/** The fast path: nearly all paragraphs of an index have no continued lines. */
function plain(paragraph: string): string[] {
  const values: string[] = new Array(recordFields.length).fill("");
  for (let at = 0; at < paragraph.length; ) {
    const newline = paragraph.indexOf("\n", at);
    const end = newline < 0 ? paragraph.length : newline;
    const colon = paragraph.indexOf(":", at);
    if (colon > at && colon < end && colon - at <= 12) {
      const index = fieldIndex.get(paragraph.slice(at, colon).toLowerCase());
      if (index !== undefined && values[index] === "")
        values[index] = paragraph
          .slice(colon + 1, end)
          .trim()
          .replaceAll("\t", " ");
    }
    at = end + 1;
  }
  return values;
}

function folded(paragraph: string): string[] {
  const fields = parseControl(paragraph)[0];
  return recordFields.map((field) => (fields?.get(field) ?? "").replaceAll(/[\n\t]+/g, " ").trim());
}

/** A path below the archive's root that may be put into a URL: it comes from a signed index, but stays a path. */
function safeFilename(filename: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9+.,:~_%/-]*$/.test(filename) && !/(?:^|\/)\.{0,2}(?:\/|$)/.test(filename);
}

/** The record of a line made by {@link recordLine}; undefined when it is not one. */
export function parseRecordLine(line: string): PackageRecord | undefined {
  const values = line.split("\t");
  if (values.length !== recordFields.length) return undefined;
  const value = (index: number): string => values[index] ?? "";
  const digest = parseDigest(`sha256:${value(12)}`);
  if (digest === undefined) return undefined;
  return {
    name: value(0),
    provides: value(1),
    version: value(2),
    architecture: value(3),
    multiArch: value(4),
    priority: value(5),
    preDepends: value(6),
    depends: value(7),
    conflicts: value(8),
    breaks: value(9),
    filename: value(10),
    size: Number(value(11)),
    digest,
    source: value(13),
  };
}
