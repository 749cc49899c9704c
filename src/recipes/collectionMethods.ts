/** Methods of lists, tuples, sets and dictionaries. */
import { NotUnderstood, PythonException } from "../python/problem.ts";
import {
  areEqual,
  bounded,
  compareValues,
  type Dictionary,
  dictionary,
  distinct,
  has,
  isDictionary,
  isTrue,
  keyOf,
  list,
  native,
  type ObjectValue,
  plain,
  put,
  type Sequence,
  set,
  tuple,
  type Value,
  valuesOf,
  wholeNumber,
} from "./values.ts";

type Call<Target> = readonly [
  least: number,
  most: number,
  call: (target: Target, ...values: Value[]) => Value,
];

function nothing(done: unknown): null {
  void done;
  return null;
}

const listMethods: Readonly<Record<string, Call<Sequence>>> = {
  append: [1, 1, (target, item = null) => nothing(bounded(target.items).push(item))],
  extend: [
    1,
    1,
    (target, items = null) => {
      target.items = bounded([...target.items, ...valuesOf(items)]);
      return null;
    },
  ],
  insert: [
    2,
    2,
    (target, index, item = null) => nothing(bounded(target.items).splice(wholeNumber(index), 0, item)),
  ],
  pop: [
    0,
    1,
    (target, index = -1) => {
      const at = wholeNumber(index);
      const [item] = target.items.splice(at < 0 ? target.items.length + at : at, 1);
      if (item === undefined) throw new PythonException("IndexError", "pop index out of range");
      return item;
    },
  ],
  remove: [
    1,
    1,
    (target, item = null) => {
      const at = target.items.findIndex((one) => areEqual(one, item));
      if (at < 0) throw new PythonException("ValueError", "list.remove(x): x not in list");
      target.items.splice(at, 1);
      return null;
    },
  ],
  reverse: [0, 0, (target) => nothing(target.items.reverse())],
  clear: [0, 0, (target) => nothing(target.items.splice(0))],
  copy: [0, 0, (target) => ({ kind: target.kind, items: [...target.items] })],
};

const sequenceMethods: Readonly<Record<string, Call<Sequence>>> = {
  index: [
    1,
    1,
    (target, item = null) => {
      const at = target.items.findIndex((one) => areEqual(one, item));
      if (at < 0) throw new PythonException("ValueError", "x is not in it");
      return at;
    },
  ],
  count: [1, 1, (target, item = null) => target.items.filter((one) => areEqual(one, item)).length],
};

const setMethods: Readonly<Record<string, Call<Sequence>>> = {
  add: [1, 1, (target, item = null) => merge(target, [item])],
  update: [0, 20, (target, ...others) => merge(target, others.flatMap(valuesOf))],
  discard: [1, 1, (target, item = null) => keep(target, (one) => !areEqual(one, item))],
  remove: [
    1,
    1,
    (target, item = null) => {
      if (!has(target.items, item)) throw new PythonException("KeyError", "not in the set");
      return keep(target, (one) => !areEqual(one, item));
    },
  ],
  copy: [0, 0, (target) => set(target.items)],
  union: [0, 20, (target, ...others) => set([...target.items, ...others.flatMap(valuesOf)])],
  intersection: [
    1,
    1,
    (target, other = null) => set(target.items.filter((one) => has(valuesOf(other), one))),
  ],
  difference: [1, 1, (target, other = null) => set(target.items.filter((one) => !has(valuesOf(other), one)))],
  issubset: [1, 1, (target, other = null) => target.items.every((one) => has(valuesOf(other), one))],
  issuperset: [1, 1, (target, other = null) => valuesOf(other).every((one) => has(target.items, one))],
  isdisjoint: [1, 1, (target, other = null) => !target.items.some((one) => has(valuesOf(other), one))],
};

function merge(target: Sequence, items: readonly Value[]): null {
  target.items = bounded(distinct([...target.items, ...items]));
  return null;
}

function keep(target: Sequence, test: (item: Value) => boolean): null {
  target.items = target.items.filter(test);
  return null;
}

const dictMethods: Readonly<Record<string, Call<Dictionary>>> = {
  get: [1, 2, ({ entries }, key = null, fallback = null) => (entries.get(keyOf(key)) ?? [key, fallback])[1]],
  keys: [0, 0, ({ entries }) => list([...entries.values()].map(([key]) => key))],
  values: [0, 0, ({ entries }) => list([...entries.values()].map(([, value]) => value))],
  items: [0, 0, ({ entries }) => list([...entries.values()].map(([key, value]) => tuple([key, value])))],
  copy: [0, 0, ({ entries }) => dictionary(entries.values())],
  clear: [0, 0, ({ entries }) => nothing(entries.clear())],
  setdefault: [
    1,
    2,
    (target, key = null, value = null) => {
      const found = target.entries.get(keyOf(key));
      if (found !== undefined) return found[1];
      put(target, key, value);
      return value;
    },
  ],
  pop: [
    1,
    2,
    ({ entries }, key = null, fallback) => {
      const found = entries.get(keyOf(key));
      entries.delete(keyOf(key));
      const value = found === undefined ? fallback : found[1];
      if (value === undefined) throw new PythonException("KeyError", "no such key");
      return value;
    },
  ],
};

const others: ReadonlySet<string> = new Set(
  "popitem fromkeys difference_update intersection_update symmetric_difference symmetric_difference_update".split(
    " ",
  ),
);

function find<Target>(
  methods: Readonly<Record<string, Call<Target>>>,
  target: Target,
  name: string,
): ObjectValue | undefined {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method === undefined) return undefined;
  const [least, most, call] = method;
  return plain(name, least, most, (...values) => call(target, ...values));
}

/** The method of a collection; undefined when Python has none of that name. @throws NotUnderstood */
export function collectionMethod(target: Sequence | Dictionary, name: string): ObjectValue | undefined {
  const found = methodOf(target, name);
  if (found === undefined && others.has(name))
    throw new NotUnderstood(`the method \`${name}\` of a ${target.kind}`);
  return found;
}

function methodOf(target: Sequence | Dictionary, name: string): ObjectValue | undefined {
  if (target.kind === "dict") {
    if (name === "update") return native(name, ({ values, named }) => updated(target, values, named));
    return find(dictMethods, target, name);
  }
  if (target.kind === "set") return find(setMethods, target, name);
  if (target.kind === "list") {
    if (name === "sort")
      return native(name, (given) => {
        target.items = sorted(target.items, given.named);
        return null;
      });
    const found = find(listMethods, target, name);
    if (found !== undefined) return found;
  }
  return find(sequenceMethods, target, name);
}

function updated(target: Dictionary, values: readonly Value[], named: ReadonlyMap<string, Value>): null {
  for (const value of values) for (const [key, one] of pairsOf(value)) put(target, key, one);
  for (const [key, one] of named) put(target, key, one);
  return null;
}

/** Keys and values of a dictionary or of pairs. @throws PythonException */
export function pairsOf(value: Value): readonly (readonly [Value, Value])[] {
  if (isDictionary(value)) return [...value.entries.values()];
  return valuesOf(value).map((pair) => {
    const [key, one, more] = valuesOf(pair);
    if (key === undefined || one === undefined || more !== undefined)
      throw new PythonException("ValueError", "pairs are expected");
    return [key, one];
  });
}

/** Items in order, by `key=` and `reverse=`. @throws PythonException */
export function sorted(items: readonly Value[], named: ReadonlyMap<string, Value>): Value[] {
  const key = named.get("key") ?? null;
  const keyed = items.map((item) => [key === null ? item : called(key, item), item] as const);
  const sign = isTrue(named.get("reverse") ?? false) ? -1 : 1;
  return keyed.sort(([a], [b]) => sign * compareValues(a, b)).map(([, item]) => item);
}

/** A value called with one argument. @throws PythonException when it cannot be */
export function called(callee: Value, ...values: Value[]): Value {
  if (typeof callee === "object" && callee !== null && callee.kind === "object" && callee.call !== undefined)
    return callee.call({ values, named: new Map() });
  throw new PythonException("TypeError", "this cannot be called");
}
