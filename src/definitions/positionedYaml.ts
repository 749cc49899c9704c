/**
 * YAML as a tree whose every key and value knows its place.
 *
 * YAML 1.2 core schema, one document. Read with limits: a hostile file costs a bounded amount of work. Anchors and
 * aliases are allowed (Spack's users have them), the tree they unfold to counts against the limit.
 */
import type { Node, Pair, Scalar } from "yaml";
import { isAlias, isMap, isScalar, isSeq, LineCounter } from "yaml";
import type { ErrorCode, Place } from "../util/errors.ts";
import { NestedTooDeeply, parseYamlDocument } from "./boundedYaml.ts";
import { type ProblemList, problemList } from "./problems.ts";

/** A scalar. `text` is what stands in the file for plain scalars (`1.10`), the contents for quoted ones. */
export interface YamlScalar {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  readonly text: string;
  readonly quoted: boolean;
  readonly place: Place;
  /** Columns from `place` to the first character of `text`; undefined where characters cannot be counted (escapes). */
  readonly indent: number | undefined;
}

export interface YamlList {
  readonly kind: "list";
  readonly items: readonly YamlNode[];
  readonly place: Place;
}

export interface YamlEntry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: YamlNode;
}

export interface YamlMap {
  readonly kind: "map";
  /** In the order of the file; keys are unique. */
  readonly entries: readonly YamlEntry[];
  readonly place: Place;
}

export type YamlNode = YamlScalar | YamlList | YamlMap;

/** Bounds of what is read. */
export const yamlLimits = { bytes: 1 << 20, nodes: 100_000, depth: 60 } as const;

/** Plain sentences for what the YAML library reports. */
const syntaxMessages: Readonly<Record<string, string>> = {
  ALIAS_PROPS: "an alias cannot have an anchor or a tag",
  BAD_ALIAS: "this alias has no name",
  BAD_DIRECTIVE: "this is not a YAML directive",
  BAD_INDENT: "the indentation does not fit",
  BAD_SCALAR_START: "a value cannot start with this character: quote it",
  BLOCK_AS_IMPLICIT_KEY: "a list or mapping cannot stand here: it needs its own lines",
  BLOCK_IN_FLOW: "a block cannot stand inside [ ] or { }",
  COMMENT_SPACE: "a comment needs a space before its #",
  DUPLICATE_KEY: "this key is there twice",
  KEY_OVER_1024_CHARS: "this key is too long",
  MISSING_CHAR: "a character is missing here (a colon, comma, quote or bracket)",
  MULTILINE_IMPLICIT_KEY: "a key must be on one line",
  MULTIPLE_ANCHORS: "a value can have one anchor only",
  MULTIPLE_DOCS: "there is a second document in this file",
  MULTIPLE_TAGS: "a value can have one tag only",
  TAB_AS_INDENT: "tabs cannot be used for indentation: use spaces",
  TAG_RESOLVE_FAILED: "this tag is not known",
  UNEXPECTED_TOKEN: "this does not belong here",
};

/** The tree, or undefined when the text is not YAML at all. `root` of an empty file is a null scalar. */
export interface PositionedYaml {
  readonly root: YamlNode | undefined;
  readonly problems: ProblemList;
}

/**
 * Parses YAML text.
 *
 * @param file name for places
 * @param code error code of problems
 */
export function parsePositionedYaml(text: string, file: string, code: ErrorCode): PositionedYaml {
  const problems = problemList();
  if (text.length > yamlLimits.bytes) {
    problems.error(code, `the file is larger than ${yamlLimits.bytes} bytes`, { file });
    return { root: undefined, problems };
  }
  const lines = new LineCounter();
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  let document: ReturnType<typeof parseYamlDocument>;
  try {
    document = parseYamlDocument(text.replace(/^\uFEFF/, ""), {
      version: "1.2",
      schema: "core",
      lineCounter: lines,
      // Twice, since a list in a mapping is two.
      depth: 2 * yamlLimits.depth,
    });
  } catch (thrown) {
    if (thrown instanceof NestedTooDeeply)
      problems.error(code, "this is nested too deeply", placeOf(thrown.offset));
    else problems.error(code, `the file cannot be read as YAML: ${String(thrown)}`, { file });
    return { root: undefined, problems };
  }
  // One mistake makes the library stumble more than once: the first on each line is it.
  const told = new Set<number | undefined>();
  for (const error of [...document.errors, ...document.warnings]) {
    const place = placeOf(error.pos[0]);
    if (told.has(place.line)) continue;
    told.add(place.line);
    problems.error(code, syntaxMessages[error.code] ?? error.message, place);
  }
  if (problems.errors.length > 0) return { root: undefined, problems };

  let nodes = 0;
  const open = new Set<Node>();
  const nullAt = (place: Place): YamlScalar => {
    return { kind: "scalar", value: null, text: "", quoted: false, place, indent: 0 };
  };

  function convert(node: Node | null, fallback: Place, depth: number): YamlNode {
    if (++nodes > yamlLimits.nodes) {
      if (nodes === yamlLimits.nodes + 1)
        problems.error(code, `the file unfolds to more than ${yamlLimits.nodes} values`, fallback);
      return nullAt(fallback);
    }
    if (node === null) return nullAt(fallback);
    const place = node.range ? placeOf(node.range[0]) : fallback;
    if (depth > yamlLimits.depth) {
      problems.error(code, "this is nested too deeply", place);
      return nullAt(place);
    }
    if (isAlias(node)) {
      const target = node.resolve(document);
      if (target === undefined || open.has(target)) {
        const why = target === undefined ? "is not defined before it is used" : "contains itself";
        problems.error(code, `the anchor \`${node.source}\` ${why}`, place);
        return nullAt(place);
      }
      return convert(target, place, depth + 1);
    }
    open.add(node);
    try {
      if (isScalar(node)) return convertScalar(node, place);
      if (isSeq(node))
        return {
          kind: "list",
          items: node.items.map((item) => convert(item as Node | null, place, depth + 1)),
          place,
        };
      if (isMap(node)) return convertMap(node.items as Pair<Node, Node | null>[], place, depth);
    } finally {
      open.delete(node);
    }
    return nullAt(place);
  }

  function convertScalar({ value, source, type, range }: Scalar, place: Place): YamlScalar {
    const start = range?.[0];
    const quoted = type === "QUOTE_SINGLE" || type === "QUOTE_DOUBLE";
    const plain = type === "PLAIN" || type === undefined;
    const known =
      value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number";
    const content = typeof value === "bigint" ? Number(value) : known ? value : String(value);
    const shown = typeof content === "string" ? content : (source ?? String(content ?? ""));
    const skip = quoted ? 1 : 0;
    const counted =
      start !== undefined && (plain || quoted) && text.startsWith(shown, start + skip) ? skip : undefined;
    return { kind: "scalar", value: content, text: shown, quoted: !plain, place, indent: counted };
  }

  function convertMap(pairs: readonly Pair<Node, Node | null>[], place: Place, depth: number): YamlMap {
    const entries: YamlEntry[] = [];
    const seen = new Set<string>();
    const merged: YamlEntry[] = [];
    for (const pair of pairs) {
      const keyNode = convert(pair.key, place, depth + 1);
      if (keyNode.kind !== "scalar") {
        problems.error(code, "a key must be a word, not a list or mapping", keyNode.place);
        continue;
      }
      const key = keyNode.text;
      const value = convert(pair.value, keyNode.place, depth + 1);
      if (key === "<<" && !keyNode.quoted) {
        const sources = value.kind === "list" ? value.items : [value];
        for (const source of sources) if (source.kind === "map") merged.push(...source.entries);
        continue;
      }
      if (seen.has(key)) {
        problems.error(code, `the key \`${key}\` is there twice`, keyNode.place, "remove one of them");
        continue;
      }
      seen.add(key);
      entries.push({ key, keyPlace: keyNode.place, value });
    }
    for (const entry of merged) {
      if (seen.has(entry.key)) continue;
      seen.add(entry.key);
      entries.push(entry);
    }
    return { kind: "map", entries, place };
  }

  const root = convert(document.contents as Node | null, { file, line: 1, column: 1 }, 0);
  return { root: problems.errors.length > 0 && nodes > yamlLimits.nodes ? undefined : root, problems };
}

/** The entry of a mapping with this key. */
export function yamlEntry(node: YamlNode | undefined, key: string): YamlEntry | undefined {
  return node?.kind === "map" ? node.entries.find((entry) => entry.key === key) : undefined;
}

/**
 * The place of a JSON path: of its value, or of the key that leads to it. Stops at the deepest part that exists.
 */
export function placeOfPath(root: YamlNode, path: readonly PropertyKey[], of: "key" | "value"): Place {
  let node = root;
  let place = root.place;
  for (const part of path) {
    if (node.kind === "map") {
      const entry = yamlEntry(node, String(part));
      if (entry === undefined) return place;
      place = of === "key" ? entry.keyPlace : entry.value.place;
      node = entry.value;
    } else if (node.kind === "list") {
      const item = node.items[Number(part)];
      if (item === undefined) return place;
      place = item.place;
      node = item;
    } else return place;
  }
  return place;
}

/** The place of the character at `offset` of a scalar's text; the scalar's own place where that is unknown. */
export function placeInScalar(scalar: YamlScalar, offset: number): Place {
  const { column } = scalar.place;
  if (scalar.indent === undefined || column === undefined || scalar.text.includes("\n")) return scalar.place;
  return { ...scalar.place, column: column + scalar.indent + offset };
}

/** Plain data (objects without prototype), for schema validation. */
export function plainValue(node: YamlNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plainValue);
  const object: Record<string, unknown> = Object.create(null);
  for (const entry of node.entries) object[entry.key] = plainValue(entry.value);
  return object;
}
