/** What `name=value` and `+name` mean in a spec: a part of the architecture, a compiler flag, or a variant. */
import { SpacktainersError } from "../util/errors.ts";
import type { ArchConstraint, Dialect, FlagKind, VariantConstraint } from "./abstract.ts";
import type { SpecNode } from "./node.ts";
import { isOneTarget } from "./targets.ts";
import { cannotStandTogether } from "./variantRules.ts";

const flagKinds: readonly string[] = [
  "cflags",
  "cxxflags",
  "fflags",
  "ldflags",
  "ldlibs",
  "cppflags",
] satisfies FlagKind[];

function isFlagKind(name: string): name is FlagKind {
  return flagKinds.includes(name);
}

/** Names that cannot be propagated. */
const notPropagated: Readonly<Record<Dialect, ReadonlySet<string>>> = {
  "0.x": new Set(
    "arch architecture dev_path namespace operating_system os patches platform target".split(" "),
  ),
  "1.x": new Set(
    "arch architecture branch commit dev_path namespace operating_system os patches platform ref tag target".split(
      " ",
    ),
  ),
};

function wrong(message: string): SpacktainersError {
  return new SpacktainersError("SPEC_SYNTAX", message);
}

/** A boolean variant, as written. */
export interface BooleanAttribute {
  readonly name: string;
  readonly value: boolean;
  readonly propagate: boolean;
  readonly dialect: Dialect;
}

/**
 * Applies `+name` or `~name`.
 * @throws SpacktainersError SPEC_SYNTAX
 */
export function applyBoolean(node: SpecNode, { name, value, propagate, dialect }: BooleanAttribute): void {
  if (propagate) checkPropagation(name, dialect);
  if (name === "platform") setArch(node, { platform: value ? "True" : undefined });
  else if (name === "os" || name === "operating_system") setArch(node, { os: value ? "True" : undefined });
  else if (["arch", "architecture", "target", "namespace"].includes(name) || isFlagKind(name))
    throw wrong(`${name} needs a value: ${name}=…`);
  else addVariant(node, { name, kind: "bool", values: [value], propagate, exact: true });
}

/**
 * Applies `name=value`, `name==value`, `name:=value`, with or without quotes.
 * @throws SpacktainersError SPEC_SYNTAX
 */
export function applyPair(node: SpecNode, text: string, propagate: boolean, dialect: Dialect): void {
  // 0.x cannot read values with line breaks.
  if (dialect === "0.x" && text.includes("\n")) throw wrong("a value cannot have line breaks");
  const equals = text.indexOf("=");
  const before = text.slice(0, equals);
  const exact = before.endsWith(":");
  const name = exact ? before.slice(0, -1) : before;
  // 0.x takes a second = for a sign of propagation even where it has decided that there is none.
  const twice = propagate || (dialect === "0.x" && text[equals + 1] === "=");
  const value = unquoted(text.slice(equals + (twice ? 2 : 1)));
  if (propagate) checkPropagation(name, dialect);
  if (name === "arch" || name === "architecture") {
    const parts = value.split("-");
    const [platform, os, target] = parts.length === 3 ? parts : [undefined, undefined, value];
    setArch(node, { platform, os, target });
  } else if (name === "platform") setArch(node, { platform: value });
  else if (name === "os" || name === "operating_system") setArch(node, { os: value });
  else if (name === "target") setArch(node, { target: value });
  else if (name === "namespace") node.namespace = value;
  else if (isFlagKind(name)) addFlags(node, name, value, propagate);
  else addVariant(node, variantOf(name, value, { propagate, exact, dialect }));
}

function checkPropagation(name: string, dialect: Dialect): void {
  if (notPropagated[dialect].has(name)) throw wrong(`${name} cannot be propagated to dependencies`);
}

function unquoted(text: string): string {
  const match = /^(['"])([^\n]*)\1$/.exec(text);
  if (match === null) return text;
  const [, quote = "", inner = ""] = match;
  return inner.replaceAll(`\\${quote}`, quote);
}

/** How a variant is written. */
interface VariantForm {
  readonly propagate: boolean;
  readonly exact: boolean;
  readonly dialect: Dialect;
}

function variantOf(
  name: string,
  value: string,
  { propagate, exact, dialect }: VariantForm,
): VariantConstraint {
  if (/^(?:true|false)$/i.test(value))
    return { name, kind: "bool", values: [/^t/i.test(value)], propagate, exact: true, word: value };
  if (value === "*") return { name, kind: "multi", values: [], propagate, exact: false };
  const list = dialect === "0.x" ? value.split(/\s*,\s*/) : value.split(",");
  const special = dialect === "0.x" ? cannotStandTogether(list) : list.find((each) => each === "*");
  if (special !== undefined) throw wrong(`the value ${special} of ${name} must stand alone`);
  return { name, kind: "multi", values: [...new Set(list)].sort(), propagate, exact };
}

function addVariant(node: SpecNode, variant: VariantConstraint): void {
  if (node.variants.has(variant.name)) throw wrong(`the variant ${variant.name} is given twice`);
  node.variants.set(variant.name, variant);
}

/** White space separates flags, but what does not begin with a dash belongs to the flag before it. */
function addFlags(node: SpecNode, kind: FlagKind, value: string, propagate: boolean): void {
  const flags: string[] = [];
  for (const word of value.split(/\s+/).filter((each) => each !== "")) {
    const last = flags.length - 1;
    if (last < 0 || word.startsWith("-")) flags.push(word);
    else flags[last] += ` ${word}`;
  }
  if (flags.length === 0) return;
  const before = node.flags.get(kind) ?? [];
  node.flags.set(kind, [...before, ...flags.map((flag) => ({ flag, propagate }))]);
}

/** Empty parts, and the word that Spack prints for parts that are not given, mean nothing. */
function given(part: string | undefined): string | undefined {
  return part === "" || part === "None" ? undefined : part;
}

function setArch(node: SpecNode, parts: Partial<ArchConstraint>): void {
  const { arch } = node;
  if (arch === undefined) {
    node.arch = { platform: given(parts.platform), os: given(parts.os), target: given(parts.target) };
    return;
  }
  if (arch.platform && arch.os && isOneTarget(arch.target)) throw wrong("the architecture is given twice");
  for (const part of ["platform", "os", "target"] as const)
    if (part in parts && arch[part])
      throw wrong(`the ${part === "os" ? "operating system" : part} is given twice`);
  node.arch = {
    platform: "platform" in parts ? parts.platform : arch.platform,
    os: "os" in parts ? parts.os : arch.os,
    target: "target" in parts ? given(parts.target) : arch.target,
  };
}
