/** Reading YAML trees into types: what is not as expected becomes a problem with a place, and reading continues. */
import { didYouMean } from "../definitions/nearest.ts";
import type { YamlEntry, YamlMap, YamlNode, YamlScalar } from "../definitions/positionedYaml.ts";
import type { ProblemList } from "../definitions/problems.ts";
import { floatText } from "../python/texts.ts";

/** What a section reader needs. */
export interface YamlReader {
  readonly problems: ProblemList;
}

const code = "MANIFEST_INVALID";

/** True for a key that replaces what lower scopes say (`packages::`). With an @ in it, the colon is that of a version. */
export function replacesLower(key: string): boolean {
  return key.endsWith(":") && !key.includes("@");
}

/** A key without the suffix that says how it merges with lower scopes. */
export function plainKey(key: string): string {
  return replacesLower(key) ? key.slice(0, -1) : key;
}

/** Reports keys that are there twice, once with the suffix that says how they merge: to Spack they are one. */
export function reportRepeatedKeys({ problems }: YamlReader, node: YamlNode): void {
  if (node.kind === "list") for (const item of node.items) reportRepeatedKeys({ problems }, item);
  if (node.kind !== "map") return;
  const seen = new Set<string>();
  for (const { key, keyPlace, value } of node.entries) {
    const name = plainKey(key);
    if (seen.has(name))
      problems.error(code, `the key \`${name}\` is there twice`, keyPlace, "remove one of them");
    seen.add(name);
    reportRepeatedKeys({ problems }, value);
  }
}

/** True for a value that is left out (`key:`). */
export function isNull(node: YamlNode): boolean {
  return node.kind === "scalar" && node.value === null;
}

/** A value in words, for messages. */
export function describeYaml(node: YamlNode): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a mapping";
  if (node.value === null) return "nothing";
  if (typeof node.value === "boolean") return `\`${node.text}\` (true or false)`;
  if (typeof node.value === "number") return `the number \`${node.text}\``;
  return `\`${node.text}\``;
}

/** The mapping, or a problem. Nothing at all counts as an empty mapping: undefined without a problem. */
export function expectMap(reader: YamlReader, node: YamlNode, what: string): YamlMap | undefined {
  if (node.kind === "map") return node;
  if (!isNull(node))
    reader.problems.error(code, `${what} must be a mapping, not ${describeYaml(node)}`, node.place);
  return undefined;
}

/** The items of a list, or a problem; nothing at all counts as an empty list. */
export function expectList(reader: YamlReader, node: YamlNode, what: string): readonly YamlNode[] {
  if (node.kind === "list") return node.items;
  if (!isNull(node))
    reader.problems.error(code, `${what} must be a list, not ${describeYaml(node)}`, node.place);
  return [];
}

/** The items of a list, or a problem; nothing at all is one, too, as it is to Spack. */
export function requireList(reader: YamlReader, node: YamlNode, what: string): readonly YamlNode[] {
  if (isNull(node))
    reader.problems.error(code, `${what} must be a list, not nothing`, node.place, "write []");
  return expectList(reader, node, what);
}

/** Text, or a problem. Numbers and booleans must be quoted to be text. */
export function expectText(reader: YamlReader, node: YamlNode, what: string): YamlScalar | undefined {
  if (node.kind === "scalar" && typeof node.value === "string") return node;
  const hint = node.kind === "scalar" && node.value !== null ? `write "${node.text}"` : undefined;
  reader.problems.error(code, `${what} must be text, not ${describeYaml(node)}`, node.place, hint);
  return undefined;
}

/**
 * For a number without quotes that is not written as Python writes it (`1.10`, `1e3`, but not `7.0`): how Python does. Where
 * texts are expected, that is what Spack takes it for.
 */
export function lostNumber({ value, text }: YamlScalar): string | undefined {
  if (typeof value !== "number") return undefined;
  const written =
    Number.isInteger(value) && /^[-+]?\d+$|^0[xob]/.test(text) ? String(value) : floatText(value);
  return written === text ? undefined : written;
}

/** `true` or `false`, or a problem. */
export function expectBoolean(reader: YamlReader, node: YamlNode, what: string): boolean | undefined {
  if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
  const hint =
    node.kind === "scalar" && /^(yes|on|no|off)$/i.test(node.text) ? "write true or false" : undefined;
  reader.problems.error(code, `${what} must be true or false, not ${describeYaml(node)}`, node.place, hint);
  return undefined;
}

/** A whole number that is not negative, or a problem. */
export function expectCount(reader: YamlReader, node: YamlNode, what: string): number | undefined {
  if (
    node.kind === "scalar" &&
    typeof node.value === "number" &&
    Number.isSafeInteger(node.value) &&
    node.value >= 0
  )
    return node.value;
  reader.problems.error(code, `${what} must be a whole number, not ${describeYaml(node)}`, node.place);
  return undefined;
}

/** One of some words, or a problem with the nearest. */
export function expectOneOf<T extends string>(
  reader: YamlReader,
  node: YamlNode,
  what: string,
  words: readonly T[],
): T | undefined {
  const found = node.kind === "scalar" ? words.find((word) => word === node.text) : undefined;
  if (found !== undefined) return found;
  reader.problems.error(
    code,
    `${what} must be one of ${words.join(", ")}, not ${describeYaml(node)}`,
    node.place,
    node.kind === "scalar" ? didYouMean(node.text, words) : undefined,
  );
  return undefined;
}

/** A list of texts; a single text counts as a list of one where `orOne` is set. */
export function expectTexts(
  reader: YamlReader,
  node: YamlNode,
  what: string,
  orOne = false,
): readonly YamlScalar[] {
  if (orOne && node.kind === "scalar" && node.value !== null)
    return [expectText(reader, node, what) ?? []].flat();
  return expectList(reader, node, what).flatMap(
    (item) => expectText(reader, item, `an item of ${what}`) ?? [],
  );
}

/** What to do with the value of each known key. `undefined`: the key is known but does not matter here. */
export type KeyHandlers = Readonly<Record<string, ((value: YamlNode, entry: YamlEntry) => void) | undefined>>;

/** Calls the handler of each key of a mapping; a key without one is a problem, with the nearest known key. */
export function readKeys(reader: YamlReader, map: YamlMap, what: string, handlers: KeyHandlers): void {
  const known = Object.keys(handlers);
  for (const entry of map.entries) {
    const key = plainKey(entry.key);
    if (!Object.hasOwn(handlers, key)) {
      reader.problems.error(
        code,
        `unknown key \`${entry.key}\` in ${what}`,
        entry.keyPlace,
        unknownKeyHint(key, known),
      );
      continue;
    }
    handlers[key]?.(entry.value, entry);
  }
}

/** What to do about a key that is not known. */
export function unknownKeyHint(key: string, known: readonly string[]): string | undefined {
  if (/[+-]$/.test(key) && known.includes(key.slice(0, -1)))
    return "`+:` and `-:` are for Spack's command line; in files Spack knows `::` only";
  return (
    didYouMean(key, known) ??
    (known.length > 0 && known.length <= 12 ? `known here: ${known.join(", ")}` : undefined)
  );
}
