/** Architectures and targets of concrete specs as values of recipes. */

import { NotUnderstood } from "../python/problem.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";
import { compatibleTargets, familyOf, microarchitecture } from "../spec/microarchitecture.ts";
import { isObject, list, type ObjectValue, textIn, type Value, word } from "./values.ts";

/** A microarchitecture: `spec.target`. */
export function targetValue(name: string): ObjectValue {
  const ask = (attribute: string): Value | undefined => {
    if (attribute === "name") return name;
    if (attribute === "family") return targetValue(familyOf(name));
    if (attribute === "microarchitecture") return targetValue(name);
    if (attribute === "vendor") return microarchitecture(name)?.vendor ?? "generic";
    if (attribute === "ancestors") return list(compatibleTargets(name).slice(1).map(targetValue));
    throw new NotUnderstood(`\`${attribute}\` of a target`);
  };
  const nameOf = (other: Value): string | undefined =>
    textIn(other) ?? (isObject(other) && other.type === "Target" ? other.text?.() : undefined);
  return {
    kind: "object",
    type: "Target",
    text: () => name,
    attribute: ask,
    equals: (other) => nameOf(other) === name,
    compare: (other) => {
      const right = nameOf(other);
      if (right === undefined) return undefined;
      if (right === name) return 0;
      if (compatibleTargets(name).includes(right)) return 1;
      if (compatibleTargets(right).includes(name)) return -1;
      throw new NotUnderstood("an order of targets that have none");
    },
    contains: (feature) => {
      throw new NotUnderstood(`whether a processor has \`${word(feature)}\``);
    },
  };
}

/** `spec.architecture`. */
export function architectureValue(node: ConcreteSpec): ObjectValue {
  return {
    kind: "object",
    type: "ArchSpec",
    text: () => `${node.platform}-${node.os}-${node.target}`,
    contains: (part) => `${node.platform}-${node.os}-${node.target}`.includes(word(part)),
    attribute: (name) => {
      if (name === "platform") return node.platform;
      if (name === "os") return node.os;
      return name === "target" ? targetValue(node.target) : undefined;
    },
  };
}
