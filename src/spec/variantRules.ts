/** Satisfies, intersects and constrain for one variant, by the rules of each dialect. */
import type { Dialect, VariantConstraint } from "./abstract.ts";

type Value = boolean | string;

function sortedValues(values: Iterable<Value>): readonly Value[] {
  return [...new Set(values)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function sameValues(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

const includesAll = (whole: readonly Value[], part: readonly Value[]) => part.every((v) => whole.includes(v));

/** The values as 0.x keeps them in variants that are not boolean: text, with `*` a value like any other. */
function oldValues(variant: VariantConstraint): readonly string[] {
  if (variant.kind === "bool") return [variant.word ?? (variant.values[0] === true ? "True" : "False")];
  return variant.values.length === 0 ? ["*"] : variant.values.map(String);
}

/** 0.x compares two variants after making the second the kind of the first; this is the second, or undefined if it cannot be. */
function oldBoolean(variant: VariantConstraint): boolean | "*" | undefined {
  if (variant.kind === "bool") return variant.values[0] === true;
  const [value, ...more] = oldValues(variant);
  if (more.length > 0 || value === undefined) return undefined;
  if (value === "*") return "*";
  return /^true$/i.test(value) ? true : /^false$/i.test(value) ? false : undefined;
}

function oldSatisfies(a: VariantConstraint, b: VariantConstraint): boolean {
  if (a.kind === "bool") {
    const wanted = oldBoolean(b);
    return wanted === "*" || wanted === a.values[0];
  }
  // A spec written without the variant's definition could still become anything.
  if (a.kind === "multi" && !a.exact) return true;
  const values = oldValues(b);
  if (a.kind === "single") {
    const [value] = values;
    return values.length === 1 && (value === "*" || value === String(a.values[0]) || a.values[0] === "*");
  }
  const own = oldValues(a);
  if (values.includes("*") || own.includes("*")) return true;
  if (a.name === "patches") return values.every((v) => own.some((w) => w.startsWith(v)));
  return includesAll(own, values);
}

/** True if every value that `a` can take is allowed by `b`. Both have the same name. */
export function variantSatisfies(a: VariantConstraint, b: VariantConstraint, dialect: Dialect): boolean {
  if (dialect === "0.x") return oldSatisfies(a, b);
  if (!b.exact) {
    if (a.name === "patches")
      return b.values.every((v) => a.values.some((w) => String(w).startsWith(String(v))));
    return includesAll(a.values, b.values);
  }
  return a.exact && sameValues(a.values, b.values);
}

/** True if there is a value that both allow. Both have the same name. */
export function variantIntersects(a: VariantConstraint, b: VariantConstraint, dialect: Dialect): boolean {
  if (dialect === "0.x") {
    if (a.kind !== "multi") return oldSatisfies(a, b);
    return b.kind === "multi" || oldSatisfies(b, a);
  }
  if (a.exact) return b.exact ? sameValues(a.values, b.values) : includesAll(a.values, b.values);
  return !b.exact || includesAll(b.values, a.values);
}

const kinds = ["bool", "single", "multi"];

/** 0.x: values that cannot stand beside others. */
export function cannotStandTogether(values: readonly string[]): string | undefined {
  return values.length > 1 ? ["none", "*"].find((special) => values.includes(special)) : undefined;
}

function oldConstrain(a: VariantConstraint, b: VariantConstraint): VariantConstraint | undefined {
  const propagate = a.propagate && b.propagate;
  if (a.kind === "bool") return oldBoolean(b) === "*" ? a : { ...a, propagate };
  const joined = sortedValues([...oldValues(a), ...oldValues(b)]).map(String);
  const values = joined.length > 1 ? joined.filter((value) => value !== "*") : joined;
  if (cannotStandTogether(values) !== undefined) return undefined;
  return { ...a, values: values[0] === "*" ? [] : values, propagate };
}

/** What both ask for; undefined if they contradict each other. Both have the same name. */
export function variantConstrain(
  a: VariantConstraint,
  b: VariantConstraint,
  dialect: Dialect,
): VariantConstraint | undefined {
  if (!variantIntersects(a, b, dialect)) return undefined;
  if (dialect === "0.x") return oldConstrain(a, b);
  return {
    name: a.name,
    kind: kinds.indexOf(b.kind) < kinds.indexOf(a.kind) ? b.kind : a.kind,
    values: sortedValues([...a.values, ...b.values]),
    propagate: a.propagate && b.propagate,
    exact: a.exact || b.exact,
  };
}
