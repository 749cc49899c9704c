/** Variants of concrete specs as values of recipes. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import type { ConcreteSpec, ConcreteVariantValue } from "../spec/concrete.ts";
import { isSequence, list, type ObjectValue, plain, textIn, tuple, type Value, word } from "./values.ts";

/** The variants of a concrete spec: `spec.variants`. */
export function variantMap(variants: ConcreteSpec["variants"]): ObjectValue {
  const variantOf = (name: string): Value | undefined => {
    const value = variants.get(name);
    return value === undefined ? undefined : variantValue(name, value);
  };
  return {
    kind: "object",
    type: "VariantMap",
    item: (index) => {
      const found = variantOf(word(index));
      if (found === undefined) throw new PythonException("KeyError", word(index));
      return found;
    },
    contains: (name) => variants.has(word(name)),
    iterate: () => [...variants.keys()],
    attribute: (name) =>
      name === "get"
        ? plain(name, 1, 2, (key, fallback = null) => variantOf(word(key)) ?? fallback)
        : name === "keys"
          ? plain(name, 0, 0, () => list([...variants.keys()]))
          : name === "items"
            ? plain(name, 0, 0, () =>
                list([...variants.keys()].map((key) => tuple([key, variantOf(key) ?? null]))),
              )
            : undefined,
  };
}

function variantValue(name: string, value: ConcreteVariantValue): ObjectValue {
  const held: Value = typeof value === "object" ? tuple(value) : value;
  return {
    kind: "object",
    type: "VariantValue",
    attribute: (attribute) => {
      if (attribute === "value") return held;
      if (attribute === "name") return name;
      throw new NotUnderstood(`\`${attribute}\` of a variant`);
    },
    contains: (one) =>
      isSequence(held) ? held.items.some((item) => textIn(item) === word(one)) : held === one,
    text: () => {
      throw new NotUnderstood("the text of a variant");
    },
  };
}
