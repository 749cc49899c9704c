/** Shapes of YAML: what Spack's JSON schemas say of a manifest, in a compact form, and the check of a tree against one. */
import { didYouMean } from "../definitions/nearest.ts";
import type { YamlEntry, YamlMap, YamlNode } from "../definitions/positionedYaml.ts";
import { parseSpecs } from "../spec/parse.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { SpecReader } from "./specReader.ts";
import { describeYaml, plainKey, unknownKeyHint } from "./yamlReader.ts";

/** What a value must be; a list of shapes: any of them. */
export type Shape =
  | "text"
  | "boolean"
  | "integer"
  | "number"
  | "null"
  | "anything"
  | { readonly words: readonly string[] }
  | { readonly atLeast: number }
  | { readonly list: Shape; readonly least?: number; readonly most?: number }
  | MapShape
  | readonly Shape[];

/** A mapping. */
interface MapShape {
  readonly keys: Readonly<Record<string, Shape>>;
  /** Regular expressions of further keys. */
  readonly patterns?: readonly (readonly [pattern: string, shape: Shape])[];
  /** Of keys that are neither listed nor match a pattern; without it there may be none. */
  readonly rest?: Shape;
  /** Keys that are not listed are specs. */
  readonly specs?: true;
  readonly required?: readonly string[];
  /** Keys that Spack no longer takes. */
  readonly refused?: readonly string[];
}

/** Something that breaks a rule of the format. */
interface Misfit {
  readonly message: string;
  readonly at: YamlNode | YamlEntry;
  readonly hint?: string | undefined;
}

const names: Readonly<Record<string, string>> = {
  text: "text",
  boolean: "true or false",
  integer: "a whole number",
  number: "a number",
  null: "nothing",
};

/** Reports everything in a tree that is not of the shape, in the order of the file. `what` names the tree. */
export function checkShape(reader: SpecReader, node: YamlNode, shape: Shape, what: string): void {
  for (const { message, at, hint } of misfits(reader, node, shape, what))
    reader.problems.error("MANIFEST_INVALID", message, "keyPlace" in at ? at.keyPlace : at.place, hint);
}

function misfits(reader: SpecReader, node: YamlNode, shape: Shape, what: string): readonly Misfit[] {
  if (shape === "anything") return [];
  if (Array.isArray(shape)) return misfitsOfAll(reader, node, shape as readonly Shape[], what);
  const plain = shape as Exclude<Shape, readonly Shape[]>;
  if (!isOfKind(node, plain)) return [wrongKind(node, [plain], what)];
  if (typeof plain !== "object") return [];
  if ("keys" in plain) return node.kind === "map" ? misfitsOfMap(reader, node, plain, what) : [];
  if (!("list" in plain) || node.kind !== "list") return [];
  const { least = 0, most = Number.POSITIVE_INFINITY } = plain;
  const { length } = node.items;
  const wrongLength =
    length < least || length > most
      ? [{ message: `${what} must have ${least === most ? least : `${least} to ${most}`} items`, at: node }]
      : [];
  return [
    ...wrongLength,
    ...node.items.flatMap((item) => misfits(reader, item, plain.list, `an item of ${what}`)),
  ];
}

/** Nothing when one of the shapes fits; else what is wrong by the one that comes closest. */
function misfitsOfAll(
  reader: SpecReader,
  node: YamlNode,
  shapes: readonly Shape[],
  what: string,
): readonly Misfit[] {
  let best: readonly Misfit[] | undefined;
  for (const shape of shapes) {
    const found = misfits(reader, node, shape, what);
    if (found.length === 0) return [];
    if (isOfKind(node, shape) && (best === undefined || found.length < best.length)) best = found;
  }
  return best ?? [wrongKind(node, shapes, what)];
}

function misfitsOfMap(reader: SpecReader, node: YamlMap, shape: MapShape, what: string): readonly Misfit[] {
  const found: Misfit[] = [];
  for (const entry of node.entries) {
    const key = plainKey(entry.key);
    if (shape.refused?.includes(key)) {
      found.push({ message: `\`${key}\` in ${what} is no longer taken by Spack`, at: entry });
      continue;
    }
    const wrong = shape.specs === true && !Object.hasOwn(shape.keys, key) ? notSpecs(reader, key) : undefined;
    if (wrong !== undefined) found.push({ message: wrong, at: entry });
    const shapes = [
      ...(Object.hasOwn(shape.keys, key) ? [shape.keys[key] ?? "anything"] : []),
      ...(shape.patterns ?? []).flatMap(([pattern, each]) => (patternOf(pattern).test(key) ? [each] : [])),
    ];
    if (shapes.length > 0 || shape.rest !== undefined) {
      for (const each of shapes.length > 0 ? shapes : [shape.rest ?? "anything"])
        found.push(...misfits(reader, entry.value, each, `\`${key}\``));
      continue;
    }
    const known = Object.keys(shape.keys);
    found.push({
      message: `unknown key \`${entry.key}\` in ${what}`,
      at: entry,
      hint: unknownKeyHint(key, known),
    });
  }
  for (const name of shape.required ?? [])
    if (!node.entries.some(({ key }) => plainKey(key) === name))
      found.push({ message: `the key \`${name}\` is missing in ${what}`, at: node });
  return found;
}

/** What is wrong with a key that should be specs. */
function notSpecs({ dialect }: SpecReader, key: string): string | undefined {
  try {
    parseSpecs(key, { dialect });
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof SpacktainersError)) throw thrown;
    return thrown.message;
  }
}

const patterns = new Map<string, RegExp>();

function patternOf(text: string): RegExp {
  const pattern = patterns.get(text) ?? new RegExp(text, "u");
  patterns.set(text, pattern);
  return pattern;
}

/** True if the value is of the kind that the shape is of, whatever is inside. */
function isOfKind(node: YamlNode, shape: Shape): boolean {
  if (Array.isArray(shape)) return (shape as readonly Shape[]).some((each) => isOfKind(node, each));
  if (typeof shape === "object") {
    if ("keys" in shape) return node.kind === "map";
    if ("list" in shape) return node.kind === "list";
    if ("words" in shape) return isText(node) && shape.words.includes(node.text);
    if ("atLeast" in shape) return isInteger(node) && Number(node.value) >= shape.atLeast;
    return false;
  }
  if (shape === "anything") return true;
  if (node.kind !== "scalar") return false;
  if (shape === "null") return node.value === null;
  if (shape === "integer") return isInteger(node);
  return typeof node.value === (shape === "text" ? "string" : shape);
}

function isText(node: YamlNode): node is Extract<YamlNode, { kind: "scalar" }> {
  return node.kind === "scalar" && typeof node.value === "string";
}

function isInteger(node: YamlNode): node is Extract<YamlNode, { kind: "scalar" }> {
  return node.kind === "scalar" && typeof node.value === "number" && Number.isInteger(node.value);
}

function wrongKind(node: YamlNode, shapes: readonly Shape[], what: string): Misfit {
  const wanted = [...new Set(shapes.flatMap(nameOf))];
  const last = wanted.pop() ?? "something else";
  const list = wanted.length === 0 ? last : `${wanted.join(", ")} or ${last}`;
  const words = shapes.flatMap((shape) => (typeof shape === "object" && "words" in shape ? shape.words : []));
  const number = node.kind === "scalar" && typeof node.value === "number";
  const flag = node.kind === "scalar" && typeof node.value === "boolean";
  return {
    message: `${what} must be ${list}, not ${describeYaml(node)}`,
    at: node,
    hint:
      (number || flag) && wanted.length === 0 && last === "text"
        ? `write "${node.text}"`
        : node.kind === "scalar" && node.value === null
          ? "leave the key out where there is nothing to say"
          : node.kind === "scalar"
            ? didYouMean(node.text, words)
            : undefined,
  };
}

function nameOf(shape: Shape): readonly string[] {
  if (Array.isArray(shape)) return (shape as readonly Shape[]).flatMap(nameOf);
  if (typeof shape !== "object") return [names[shape] ?? "something"];
  if ("keys" in shape) return ["a mapping"];
  if ("list" in shape) return ["a list"];
  if ("words" in shape) return shape.words;
  return "atLeast" in shape ? [`a whole number, ${shape.atLeast} or more`] : [];
}
