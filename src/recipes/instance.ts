/** Objects of classes that recipes define for themselves. */

import { NotUnderstood } from "../python/problem.ts";
import type { ClassValue, Member, Variant } from "./classes.ts";
import { type CallArguments, isObject, native, type ObjectValue, type Value } from "./values.ts";

/** A function that can be called as a method of a class. */
export interface Callable extends ObjectValue {
  readonly callAs: (given: CallArguments, owner: ClassValue) => Value;
}

function isCallable(value: ObjectValue): value is Callable {
  return "callAs" in value && typeof value.callAs === "function";
}

/**
 * An attribute of a class as an object of the class has it.
 * @param chosen which of a method's variants applies
 * @returns undefined when none does
 */
export function boundMember(
  member: Member,
  owner: ClassValue,
  self: ObjectValue & { readonly class: ClassValue },
  chosen: (variants: readonly Variant[]) => Variant | undefined,
): Value | undefined {
  if (member.kind === "value") return member.value;
  const callee = chosen(member.variants)?.function;
  if (callee === undefined) return undefined;
  if (!isCallable(callee)) throw new NotUnderstood("a method of this kind");
  const first: readonly Value[] =
    member.kind === "static" ? [] : [member.kind === "class" ? self.class : self];
  if (member.kind === "property") return callee.callAs({ values: [self], named: new Map() }, owner);
  return native("method", ({ values, named }) =>
    callee.callAs({ values: [...first, ...values], named }, owner),
  );
}

/** An object of such a class. */
export class InstanceValue implements ObjectValue {
  readonly kind = "object";
  readonly type: string;
  readonly class: ClassValue;
  private readonly own = new Map<string, Value>();

  constructor(itsClass: ClassValue) {
    this.class = itsClass;
    this.type = itsClass.name;
  }

  setAttribute(name: string, value: Value): void {
    this.own.set(name, value);
  }

  attribute(name: string): Value | undefined {
    const own = this.own.get(name);
    return own === undefined ? this.member(name, this.class.resolution()) : own;
  }

  member(name: string, classes: readonly ClassValue[]): Value | undefined {
    for (const each of classes) {
      const member = each.members.get(name);
      if (member !== undefined)
        return boundMember(member, each, this, (variants) => {
          if (variants.some(({ when }) => when !== undefined))
            throw new NotUnderstood("`@when` outside a package");
          return variants.at(-1);
        });
    }
    return undefined;
  }

  text(): string {
    const call = this.attribute("__str__");
    if (call === undefined) throw new NotUnderstood(`the text of a ${this.type}`);
    const value =
      typeof call === "object" && call !== null && call.kind === "object"
        ? call.call?.({ values: [], named: new Map() })
        : undefined;
    if (typeof value !== "string") throw new NotUnderstood(`the text of a ${this.type}`);
    return value;
  }
}

/** An object of a class, begun by its `__init__`. */
export function makeInstance(itsClass: ClassValue, given: CallArguments): Value {
  const made = new InstanceValue(itsClass);
  const init = made.attribute("__init__");
  if (init !== undefined && isObject(init)) init.call?.(given);
  return made;
}
