/** Classes of recipes, with the order in which Python looks through their bases. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import type { ModuleScope } from "./moduleScope.ts";
import { type CallArguments, isObject, type ObjectValue, type Value } from "./values.ts";

/** A declaration `extends(SPEC, when=CONDITION)`. */
export interface Extension {
  readonly spec: string;
  /** All must hold. */
  readonly when: readonly string[];
}

/** How an attribute of a class is used through an instance. */
export type MemberKind = "value" | "method" | "property" | "static" | "class";

/** A method for the specs that satisfy a condition; undefined: for all others, false: for none. */
export interface Variant {
  readonly when: string | undefined | false;
  readonly function: ObjectValue;
}

/** An attribute of a class. */
export type Member =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: Exclude<MemberKind, "value">; readonly variants: readonly Variant[] };

/** Makes an object of a class. */
export type MakeInstance = (itsClass: ClassValue, given: CallArguments) => Value;

/** Where a class is from. */
export interface ClassOrigin {
  /** The file it stands in; undefined: one of Spack's own. */
  readonly module?: ModuleScope;
  /** Name of a class that is not at hand: what it has is not known. */
  readonly missing?: string;
  readonly make?: MakeInstance;
}

/** A class. */
export class ClassValue implements ObjectValue {
  readonly kind = "object";
  readonly type = "type";
  readonly name: string;
  readonly bases: readonly ClassValue[];
  /** The file it stands in; undefined: one of Spack's own. */
  readonly module: ModuleScope | undefined;
  readonly members = new Map<string, Member>();
  readonly extensions: Extension[] = [];
  /** Names of classes it stands for that are not at hand: what they have is not known. */
  readonly missing: string | undefined;
  private readonly make: MakeInstance | undefined;
  private order: readonly ClassValue[] | undefined;

  constructor(name: string, bases: readonly ClassValue[], of: ClassOrigin = {}) {
    this.name = name;
    this.bases = bases;
    this.module = of.module;
    this.missing = of.missing;
    this.make = of.make;
  }

  /** An object of it. @throws NotUnderstood for classes that are not wholly those of a recipe */
  call(given: CallArguments): Value {
    const foreign = this.resolution().find((each) => each.module === undefined);
    if (foreign !== undefined || this.make === undefined)
      throw new NotUnderstood(`an object of the class ${(foreign ?? this).name}`);
    return this.make(this, given);
  }

  text(): string {
    return `<class '${this.name}'>`;
  }

  attribute(name: string): Value | undefined {
    if (name === "__name__") return this.name;
    for (const each of this.resolution()) {
      const member = each.members.get(name);
      if (member !== undefined)
        return member.kind === "value" ? member.value : member.variants.at(-1)?.function;
      if (each.missing !== undefined || each.module === undefined)
        throw new NotUnderstood(`\`${name}\` of the class ${each.name}`);
    }
    return undefined;
  }

  /** The class and its bases in the order in which attributes are looked for. @throws PythonException for no order */
  resolution(): readonly ClassValue[] {
    this.order ??= [this, ...merged([...this.bases.map((base) => [...base.resolution()]), [...this.bases]])];
    return this.order;
  }
}

function merged(lists: ClassValue[][]): ClassValue[] {
  const order: ClassValue[] = [];
  for (;;) {
    const open = lists.filter((one) => one.length > 0);
    if (open.length === 0) return order;
    const next = open
      .map(([first]) => first)
      .find((first) => first !== undefined && !open.some((one) => one.indexOf(first) > 0));
    if (next === undefined) throw new PythonException("TypeError", "the bases of a class have no order");
    order.push(next);
    for (const one of open) if (one[0] === next) one.shift();
  }
}

export function isClass(value: Value | undefined): value is ClassValue {
  return value !== undefined && isObject(value) && value instanceof ClassValue;
}
